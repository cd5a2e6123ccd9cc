-- Each tenant's newest verdict, so that a list shows it and a schedule finds whose is oldest.

alter table control.tenant
    add column isolation_grade text constraint tenant_isolation_grade_known check (isolation_grade in ('A', 'B', 'F')),
    add column isolation_depth text constraint tenant_isolation_depth_known check (isolation_depth in ('core', 'full')),
    add column isolation_at timestamptz,
    -- When the whole battery was last run.
    add column isolation_full_at timestamptz,
    add constraint tenant_isolation_whole check ((isolation_grade is null) = (isolation_at is null)
                                             and (isolation_grade is null) = (isolation_depth is null));
update control.tenant t set isolation_grade = case when r.holds then 'A' else 'F' end, isolation_depth = 'core', isolation_at = r.at
    from (select distinct on (tenant_id) tenant_id, at, holds from control.isolation_report order by tenant_id, at desc) r
    where r.tenant_id = t.id;
create index tenant_to_verify on control.tenant (isolation_full_at nulls first) where state in ('active', 'suspended');
