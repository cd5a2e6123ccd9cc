-- The second version's application reads and writes fee_waivers alone: what kept fees in step goes, and then the column.

drop trigger fees_copy_waiver on fees;
drop trigger fee_waivers_copy_back on fee_waivers;
drop function copy_to_fee_waivers();
drop function copy_from_fee_waivers();

alter table fees drop column waived_reason;
