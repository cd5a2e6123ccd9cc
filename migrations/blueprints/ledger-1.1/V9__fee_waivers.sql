-- Why a fee was waived moves out of fees, beside the day. Until no application reads it there, both places say the same: whichever
-- an application writes, a trigger writes the other.

create table fee_waivers (
    tenant_id uuid not null,
    fee_id    uuid not null,
    reason    text not null,
    waived_on date not null default current_date,
    constraint fee_waivers_pkey primary key (tenant_id, fee_id),
    constraint fee_waivers_fee_fkey foreign key (tenant_id, fee_id) references fees (tenant_id, id) on delete cascade
);

create function copy_to_fee_waivers() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    if new.waived_reason is null then
        delete from fee_waivers
         where tenant_id = new.tenant_id
           and fee_id = new.id;
    else
        insert into fee_waivers as own (tenant_id, fee_id, reason)
        values (new.tenant_id, new.id, new.waived_reason)
        on conflict (tenant_id, fee_id) do update
            set reason = excluded.reason
          where own.reason <> excluded.reason;
    end if;
    return null;
end;
$$;

create function copy_from_fee_waivers() returns trigger
    language plpgsql
    set search_path from current
as $$
begin
    -- What is the same already is not written again, so that the two triggers end.
    update fees
       set waived_reason = new.reason
     where tenant_id = new.tenant_id
       and id = new.fee_id
       and waived_reason is distinct from new.reason;
    return null;
end;
$$;

-- Before the rows are copied, so that none is missed.
create trigger fees_copy_waiver
    after insert or update of waived_reason on fees
    for each row execute function copy_to_fee_waivers();

create trigger fee_waivers_copy_back
    after insert or update of reason on fee_waivers
    for each row execute function copy_from_fee_waivers();
