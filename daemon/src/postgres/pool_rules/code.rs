//! Code of the blueprint that would run with the rights of the pool's owner, or with row-level security switched off.
//!
//! PostgreSQL runs a referential action as the owner of the table that it changes, and switches row-level security off for
//! it, forced or not. Triggers before the action, the conditions of all triggers, checks and generated columns run there,
//! and from 18 on triggers after it, too. ANALYZE, VACUUM and REINDEX evaluate index expressions, statistics and the
//! functions of range types as the owner, and so does the planner when it plans a referential check.

/// A query each, which gives a sentence for everything that it finds.
pub(super) const RULES: &[&str] = &[
    "select format('the trigger %s of table %s would run inside the foreign key %s (%s), with the rights of the tables'' owner and '
            'past every policy, and so would one after it from PostgreSQL 18 on: leave the action out of the foreign key, and change '
            'or delete the rows in the application or in a trigger before the change of %s', tgname, relname, conname, does,
            split_part(above, '.', -1))
     from fired
     where (select pronamespace from pg_proc f where f.oid = tgfoid) not in ('pg_catalog'::regnamespace, 'tenantry_ext'::regnamespace)
        or exists (select from called where in_condition_of = fired.oid and called.grade = 'v')",
    "select distinct format('%s calls %s, which PostgreSQL would run with the rights of the tables'' owner: fill a column in a trigger '
            'before insert or update, or check there', what, proname)
     from called where in_condition_of is null and called.grade not in ('i', called.volatility)",
    // Range types, casts, operators, policies, and whatever else has a function in it.
    "select format('%s uses the function %s, which may stand in triggers, views, defaults and other functions alone: PostgreSQL '
            'could run it with the rights of the tables'' owner',
            replace(pg_describe_object(d.classid, d.objid, d.objsubid), $1 || '.', ''), f.proname)
     from routine f join pg_depend d on d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid
     where d.classid not in ('pg_proc'::regclass, 'pg_trigger'::regclass, 'pg_rewrite'::regclass,
         -- Told of above.
         'pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_statistic_ext'::regclass)",
    "select format('function %s is SECURITY DEFINER, and the owner of a pool is no tenant', proname) from routine where prosecdef",
    "select format('view %s has its owner''s rights: make it with (security_invoker = true)', relname)
     from relation where relkind = 'v' and not exists (
         select from pg_options_to_table(reloptions) where option_name = 'security_invoker' and option_value::boolean)",
    "select format('%s %s has a rule, which runs with its owner''s rights', case relkind when 'v' then 'view' else 'table' end, relname)
     from relation join pg_rewrite on ev_class = relation.oid where relkind <> 'v' or rulename <> '_RETURN'",
];
