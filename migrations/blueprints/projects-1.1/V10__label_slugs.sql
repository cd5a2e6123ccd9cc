-- Labels get a name for addresses and filters. The first version's application does not know of it: a trigger gives one.

alter table labels add column slug text;

create function label_slug(name text, id bigint) returns text
    language sql
    immutable
return coalesce(nullif(btrim(regexp_replace(lower(name), '[^a-z0-9]+', '-', 'g'), '-'), ''), 'label-' || id);

create function give_label_slug() returns trigger
    language plpgsql
as $$
begin
    new.slug := coalesce(new.slug, label_slug(new.name, new.id));
    return new;
end;
$$;

create trigger labels_give_slug
    before insert or update on labels
    for each row execute function give_label_slug();

-- All at once, since a tenant has tens of labels. Many rows would be filled in batches, by the application.
update labels set slug = label_slug(name, id) where slug is null;

-- Validated by the next version: here, every row would be read while the table is locked.
alter table labels add constraint labels_slug_required check (slug is not null) not valid;
