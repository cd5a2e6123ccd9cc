//! Code of the blueprint that would run with the rights of the pool's owner, or with row-level security switched off.
//!
//! PostgreSQL runs a referential action as the owner of the table that it changes, and switches row-level security off for it,
//! even if it is forced. Triggers before the action, the conditions of all triggers, checks and generated columns run in that
//! context, and from version 18 on triggers after the action, too. ANALYZE, VACUUM and REINDEX evaluate index expressions,
//! statistics and the functions of range types as the owner, and so does the planner when it plans a referential check.

/// Queries that each return one sentence for everything that they find.
pub(super) const RULES: &[&str] = &[
    "select format('the trigger %s of table %s would run inside the foreign key %s (%s), with the rights of the tables'' owner and '
            'past every policy, and so would one after it from PostgreSQL 18 on: leave the action out of the foreign key, and change '
            'or delete the rows in the application or in a trigger before the change of %s', tgname, relname, conname, does,
            split_part(above, '.', -1))
     from fired
     -- An extension's can run statements of the pool's own, as those of refint do.
     where not exists (select from pg_proc f where f.oid = tgfoid and f.pronamespace = 'pg_catalog'::regnamespace
             and (tgisinternal or f.proname in ('suppress_redundant_updates_trigger', 'tsvector_update_trigger',
                 'tsvector_update_trigger_column')))
        or exists (select from called where in_condition_of = fired.oid and called.grade = 'v')",
    "select distinct format('%s calls %s, which PostgreSQL would run with the rights of the tables'' owner: fill a column in a trigger '
            'before insert or update, or check there', what, proname)
     from called where in_condition_of is null and called.grade not in ('i', called.volatility)",
    // Range types, casts, operators, policies, and everything else that contains a function.
    "select format('%s uses the function %s, which may stand in triggers, views, defaults and other functions alone: PostgreSQL '
            'could run it with the rights of the tables'' owner',
            replace(pg_describe_object(d.classid, d.objid, d.objsubid), $1 || '.', ''), f.proname)
     from routine f join pg_depend d on d.refclassid = 'pg_proc'::regclass and d.refobjid = f.oid
     -- Others can feign that they use it.
     join part on part.classid = d.classid and part.objid = d.objid
     left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
     where t.typtype is distinct from 'd' and d.classid not in ('pg_proc'::regclass, 'pg_trigger'::regclass, 'pg_rewrite'::regclass,
         -- Told of above; of a domain it is the default alone, which no action and no maintenance evaluates.
         'pg_class'::regclass, 'pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_statistic_ext'::regclass)",
    // An index compares with the functions of its operator class, and ANALYZE compares with those of the columns' types.
    "select distinct format('the operator class %s uses the function %s, which finds what it calls by name: PostgreSQL would run it '
            'with the rights of the tables'' owner', c.opcname, f.proname)
     from (select unnest(i.indclass) as oid from base join pg_index i on i.indrelid = base.oid
           union select unnest(k.partclass) from base join pg_partitioned_table k on k.partrelid = base.oid
           union select r.rngsubopc from inside join pg_range r on classid = 'pg_type'::regclass and r.rngtypid = objid
           union select of.oid from base join pg_attribute a on a.attrelid = base.oid join pg_type t on t.oid = a.atttypid
                join pg_opclass of on of.opcdefault and of.opcintype in (t.oid, t.typelem, t.typbasetype)) used
     join pg_opclass c on c.oid = used.oid and c.opcnamespace <> 'pg_catalog'::regnamespace
     cross join lateral (
         select amproc::oid from pg_amproc where amprocfamily = c.opcfamily
         union select o.oprcode::oid from pg_amop join pg_operator o on o.oid = amopopr where amopfamily = c.opcfamily) called (oid)
     join pg_proc f on f.oid = called.oid join pg_language l on l.oid = f.prolang
     where l.lanname not in ('internal', 'c')",
    "select format('function %s is SECURITY DEFINER, and the owner of a pool is no tenant', proname) from routine where prosecdef",
    "select format('view %s has its owner''s rights: make it with (security_invoker = true)', relname)
     from relation where relkind = 'v' and not exists (
         select from pg_options_to_table(reloptions) where option_name = 'security_invoker' and option_value::boolean)",
    "select format('%s %s has a rule, which runs with its owner''s rights', case relkind when 'v' then 'view' else 'table' end, relname)
     from relation join pg_rewrite on ev_class = relation.oid where relkind <> 'v' or rulename <> '_RETURN'",
];
