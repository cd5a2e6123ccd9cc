//! Kinds of objects that a pool may consist of. Everything else is refused, and so is what the owner has elsewhere.

/// Queries that each return one sentence for everything that they find.
pub(super) const RULES: &[&str] = &[
    "select format('%s %s ignores row-level security', case relkind when 'm' then 'the materialized view' else 'the foreign table' end,
            relname)
     from relation where relkind in ('m', 'f')",
    "select format('%s is nothing that tenants may share', replace(pg_describe_object(d.classid, d.objid, 0), $1 || '.', ''))
     from inside d
     where d.classid not in ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_statistic_ext'::regclass,
         'pg_collation'::regclass, 'pg_ts_config'::regclass, 'pg_ts_dict'::regclass,
         -- It has rules of its own.
         'pg_default_acl'::regclass)",
    // A cast or a transform has no schema. What the server makes together with a type depends on the type internally.
    "select format('%s is nothing that tenants may share', replace(pg_describe_object(d.classid, d.objid, 0), $1 || '.', ''))
     from shape join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid = shape.oid and d.deptype in ('n', 'a')
     where d.classid not in ('pg_class'::regclass, 'pg_type'::regclass, 'pg_proc'::regclass, 'pg_constraint'::regclass,
         'pg_attrdef'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_trigger'::regclass,
         'pg_statistic_ext'::regclass)
       and not exists (select from inside where inside.classid = d.classid and inside.objid = d.objid)",
    "select format('%s belongs to %s and stands elsewhere: remove it',
            replace(pg_describe_object(d.classid, d.objid, 0), $1 || '.', ''), whose)
     from pool cross join lateral (
         values (owner, 'the owner of the shared tables'), (app, 'the role that all tenants of the shared tables are members of'),
             (to_regrole(quote_ident((select group_role from tenantry.target_identity)))::oid,
              'the role that all tenants are members of')) holder (oid, whose)
     join pg_shdepend d on d.refclassid = 'pg_authid'::regclass and d.refobjid = holder.oid and d.deptype = 'o'
         and d.dbid in (0, (select oid from pg_database where datname = current_database()))
     -- What a tenant made in the name of a role that all share: `shared_names` takes it away, and it holds nobody up.
     where not (d.classid = 'pg_largeobject'::regclass and holder.oid <> owner)
       and not coalesce(case d.classid
         when 'pg_namespace'::regclass then d.objid = schema
         when 'pg_class'::regclass then (select relnamespace from pg_class where oid = d.objid) = schema
         when 'pg_type'::regclass then (select typnamespace from pg_type where oid = d.objid) = schema
         -- Two of the daemon's, where no owner of tables reaches them.
         when 'pg_proc'::regclass then (select pronamespace = schema or pronamespace = 'tenantry'::regnamespace
             and proname in ($1 || '_at_rest', $1 || '_picture') from pg_proc where oid = d.objid)
         when 'pg_statistic_ext'::regclass then (select stxnamespace from pg_statistic_ext where oid = d.objid) = schema
         when 'pg_collation'::regclass then (select collnamespace from pg_collation where oid = d.objid) = schema
         when 'pg_ts_config'::regclass then (select cfgnamespace from pg_ts_config where oid = d.objid) = schema
         when 'pg_ts_dict'::regclass then (select dictnamespace from pg_ts_dict where oid = d.objid) = schema
         -- A rule of its own.
         when 'pg_default_acl'::regclass then true
         -- It follows its table.
         when 'pg_policy'::regclass then true
         else d.classid::regclass::text in ('pg_operator', 'pg_opclass', 'pg_opfamily', 'pg_conversion') end, false)",
    "select format('%s belongs to %s', replace(pg_describe_object(d.classid, d.objid, 0), $1 || '.', ''), pg_get_userbyid(by_role))
     from pool cross join inside d
     cross join lateral (
         select relowner from pg_class where d.classid = 'pg_class'::regclass and oid = d.objid
         union all select proowner from routine where d.classid = 'pg_proc'::regclass and oid = d.objid
         union all select typowner from pg_type where d.classid = 'pg_type'::regclass and oid = d.objid) held (by_role)
     where by_role <> owner",
];
