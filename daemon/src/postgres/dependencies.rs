//! What objects stand on, and what stands on them, as the server itself keeps book of it.
//!
//! Nothing here evaluates what it reads of: a definition is somebody's code.

/// CTEs over another, `root (classid, objid)`, which names objects. `part` are these and all that goes with them when they go:
/// defaults, constraints, triggers, rules, indexes, the types of rows and arrays. `elsewhere` is what a part stands on though
/// it is no part itself, as rows of `pg_depend`. PostgreSQL's own objects, those of a superuser's or the daemon's extensions,
/// and the daemon's functions in `tenantry_ext` are left out: whoever owns anything else could change it under the part.
///
/// They need `with recursive`. PostgreSQL's own objects have numbers below 16384, the first that it gives to others; among
/// those is the schema `public`, whose number is lower.
pub const ELSEWHERE: &str = "
    part (classid, objid) as (
        select classid, objid from root
        union
        select d.classid, d.objid from part p join pg_depend d on d.refclassid = p.classid and d.refobjid = p.objid
        -- An administrator's publication of a table has an entry for it, which is nobody's way in.
        where d.deptype in ('a', 'i', 'P', 'S') and d.classid <> 'pg_publication_rel'::regclass),
    trusted (oid) as (
        select x.oid from pg_extension x join pg_roles r on r.oid = x.extowner where r.rolsuper or r.rolname = current_user),
    elsewhere as (
        select d.* from part p join pg_depend d on d.classid = p.classid and d.objid = p.objid
        left join pg_type t on d.refclassid = 'pg_type'::regclass and t.oid = d.refobjid
        where (d.refobjid >= 16384 or d.refclassid = 'pg_namespace'::regclass)
          and not exists (select from part o where o.classid = d.refclassid and o.objid = d.refobjid)
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
        where not exists (select from part o where o.classid = p.classid and o.objid = i.inhrelid))";

/// A CTE over `part`: `leaning (said, placement)`, what others have on a part, and whose schema that is in.
pub const LEANING: &str = "
    leaning (said, placement) as (
        select distinct format('%s on %s', pg_describe_object(d.classid, d.objid, d.objsubid),
                               pg_describe_object(d.refclassid, d.refobjid, 0)),
               n.nspname::text
        from part p join pg_depend d on d.refclassid = p.classid and d.refobjid = p.objid
        left join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid
        left join pg_attrdef f on d.classid = 'pg_attrdef'::regclass and f.oid = d.objid
        left join pg_constraint k on d.classid = 'pg_constraint'::regclass and k.oid = d.objid
        left join pg_trigger g on d.classid = 'pg_trigger'::regclass and g.oid = d.objid
        left join pg_policy y on d.classid = 'pg_policy'::regclass and y.oid = d.objid
        left join pg_class c on c.oid = case d.classid when 'pg_class'::regclass then d.objid
            else coalesce(w.ev_class, f.adrelid, nullif(k.conrelid, 0), g.tgrelid, y.polrelid) end
        left join pg_type t on t.oid = case d.classid when 'pg_type'::regclass then d.objid else nullif(k.contypid, 0) end
        left join pg_proc r on d.classid = 'pg_proc'::regclass and r.oid = d.objid
        left join pg_namespace n on n.oid = coalesce(c.relnamespace, t.typnamespace, r.pronamespace)
        where d.classid <> 'pg_publication_rel'::regclass
          -- A foreign key stands on the index of a key, and on the key's table.
          and not exists (select from pg_index i where d.refclassid = 'pg_class'::regclass and i.indexrelid = d.refobjid)
          and not exists (select from part o where o.classid = d.classid and o.objid = d.objid))";
