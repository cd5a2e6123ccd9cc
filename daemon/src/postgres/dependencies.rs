//! What objects depend on, and what depends on them, as recorded by the server itself.
//!
//! Nothing here evaluates what it reads, because a definition is somebody's code. Also, not every dependency is real. Anyone
//! who may make an object can write the number of another object into an expression (`'16999'::regnamespace`) without any
//! right on it, and the server then records a dependency. So membership of a schema is read from the object itself, and
//! objects of others that depend on an object count only against those others.

/// A CTE over another one, `home (oid)`, which is a schema. `inside (classid, objid)` are the objects in it. They are found by
/// their dependencies on the schema, which are indexed; a scan of the catalog would take longer with every tenant. An object
/// that can contain an expression must also name the schema itself. Rules, defaults, constraints, policies and triggers are in
/// no schema. An administrator's publication gives nobody access. Default privileges belong to the role that they are for, and
/// any role may have some for any schema.
pub const INSIDE: &str = "
    inside as materialized (
        select d.classid, d.objid from home
        join pg_depend d on d.refclassid = 'pg_namespace'::regclass and d.refobjid = home.oid
        left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
        left join pg_proc f on d.classid = 'pg_proc'::regclass and f.oid = d.objid
        left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
        left join pg_statistic_ext s on d.classid = 'pg_statistic_ext'::regclass and s.oid = d.objid
        where coalesce(c.relnamespace, f.pronamespace, t.typnamespace, s.stxnamespace, home.oid) = home.oid
          and d.classid not in ('pg_rewrite'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_policy'::regclass,
              'pg_trigger'::regclass, 'pg_publication_rel'::regclass, 'pg_publication_namespace'::regclass,
              'pg_default_acl'::regclass))";

/// CTEs over another one, `root (classid, objid)`, which names objects. `part` contains them and everything that is dropped
/// with them: defaults, constraints, triggers, rules, indexes, and the types of rows and arrays. `elsewhere` contains rows
/// of `pg_depend` for what a part depends on without being a part itself. PostgreSQL's own objects, those of extensions
/// that do not belong to a tenant, and the daemon's functions in `tenantry_ext` are left out. The owner of anything else
/// could change it beneath the part.
///
/// They need `with recursive`. PostgreSQL's own objects have numbers below 16384, the first number for other objects. The
/// schema `public` counts among the others, although its number is lower.
pub const ELSEWHERE: &str = "
    part (classid, objid) as (
        select classid, objid from root
        union
        select d.classid, d.objid from part p join pg_depend d on d.refclassid = p.classid and d.refobjid = p.objid
        where d.deptype in ('a', 'i', 'P', 'S')
          and d.classid not in ('pg_publication_rel'::regclass, 'pg_publication_namespace'::regclass)),
    trusted (oid) as (
        select x.oid from pg_extension x join pg_roles r on r.oid = x.extowner
        where r.rolname !~ '^t_[a-z2-7]{13}(_|$)' and r.rolname !~ '^tenantry_g_'),
    elsewhere as (
        select d.* from part p join pg_depend d on d.classid = p.classid and d.objid = p.objid
        left join pg_type t on d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid
        where (d.refobjid >= 16384 or d.refclassid = 'pg_namespace'::regclass)
          -- Hashed, as NOT IN is: there can be as many parts as a tenant has tables and columns.
          and (d.refclassid, d.refobjid) not in (select classid, objid from part)
          and not exists (
              select from pg_depend e where e.classid = d.refclassid and e.refclassid = 'pg_extension'::regclass
                and e.objid in (d.refobjid, t.typelem) and e.deptype = 'e' and e.refobjid in (select oid from trusted))
          and not (d.refclassid = 'pg_extension'::regclass and d.refobjid in (select oid from trusted))
          and not exists (select from pg_proc f where d.refclassid = 'pg_proc'::regclass and f.oid = d.refobjid
                          and f.pronamespace = to_regnamespace('tenantry_ext'))
        union all
        -- Whoever reads a table reads those that inherit from it.
        select p.classid, p.objid, 0, p.classid, i.inhrelid, 0, 'n'
        from part p join pg_inherits i on p.classid = 'pg_class'::regclass and i.inhparent = p.objid
        where (p.classid, i.inhrelid) not in (select classid, objid from part))";

/// A CTE over `part`. `leaning` contains dependencies of others' objects on a part. `placement` is the schema of
/// such an object, and `is_certain` marks what no expression can fake: a foreign key, or a column of that type.
/// Others can have any number of them.
pub const LEANING: &str = "
    leaning as (
        select d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid,
               coalesce(n.nspname::text, (pg_identify_object(d.classid, d.objid, 0)).schema) as placement,
               coalesce(k.contype = 'f' or d.classid = 'pg_class'::regclass and d.objsubid > 0, false) as is_certain
        from part p join pg_depend d on d.refclassid = p.classid and d.refobjid = p.objid
        left join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
        left join pg_attrdef f on d.classid = 'pg_attrdef'::regclass and f.oid = d.objid
        left join pg_constraint k on d.classid = 'pg_constraint'::regclass and k.oid = d.objid
        left join pg_trigger g on d.classid = 'pg_trigger'::regclass and g.oid = d.objid
        left join pg_policy y on d.classid = 'pg_policy'::regclass and y.oid = d.objid
        left join pg_class c on c.oid = coalesce(w.ev_class, f.adrelid, nullif(k.conrelid, 0), g.tgrelid, y.polrelid)
        left join pg_type t on t.oid = nullif(k.contypid, 0)
        left join pg_namespace n on n.oid = coalesce(c.relnamespace, t.typnamespace)
        where d.classid not in ('pg_publication_rel'::regclass, 'pg_publication_namespace'::regclass)
          -- A foreign key stands on the index of a key, and on the key's table.
          and not exists (select from pg_index i where d.refclassid = 'pg_class'::regclass and i.indexrelid = d.refobjid)
          and (d.classid, d.objid) not in (select classid, objid from part))";
