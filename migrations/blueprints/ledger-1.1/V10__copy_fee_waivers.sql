-- The day on which a fee was waived is not known any more: the day on which it was charged stands for it.
insert into fee_waivers (tenant_id, fee_id, reason, waived_on)
select tenant_id, id, waived_reason, charged_on
  from fees
 where waived_reason is not null
on conflict (tenant_id, fee_id) do nothing;
