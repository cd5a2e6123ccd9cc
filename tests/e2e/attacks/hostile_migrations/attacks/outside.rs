//! Attacks from files that run outside the transaction, where the session is the owner's own and no function confines it.

use super::Attack;

/// Whether a file runs there.
pub(in crate::attacks::hostile_migrations) fn is_outside(sql: &str) -> bool {
    ["create index concurrently", "vacuum", "-- tenantry: batched"].iter().any(|begin| sql.starts_with(begin))
}

/// Code that the server runs while it builds an index or looks at a table.
pub(super) const OUTSIDE: &[Attack] = &[
    (
        "an index outside the transaction whose expression calls the payload",
        &[
            "insert into bait values (1);
             create function spring() returns void language plpgsql as $$ begin
                 begin execute 're' || 'set role'; exception when others then null; end;
                 begin execute 'reset session auth' || 'orization'; exception when others then null; end;
                 perform evil();
             end $$;
             create function trap(integer) returns integer language plpgsql immutable as $$ begin
                 perform spring();
                 return $1;
             end $$;",
            "create index concurrently trapped on bait (trap(id));",
            "insert into bait values (2);",
        ],
    ),
    (
        "an index outside the transaction whose code gives its own role a password, a name and members",
        &[
            "insert into bait values (1);
             create function spring() returns void language plpgsql as $$
             declare
                 attempt text;
                 me text := quote_ident(session_user);
             begin
                 foreach attempt in array array[
                     'alter ' || 'role ' || me || ' password ''pwned''',
                     'alter ' || 'role ' || me || ' login',
                     'alter ' || 'role ' || me || ' set search_path = pg_catalog',
                     'gr' || 'ant ' || me || ' to {victim}_app',
                     'gr' || 'ant ' || me || ' to public',
                     'com' || 'mit'
                 ] loop
                     begin execute attempt; exception when others then null; end;
                 end loop;
             end $$;
             create function trap(integer) returns integer language plpgsql immutable as $$ begin
                 perform spring();
                 return $1;
             end $$;",
            "create index concurrently trapped on bait (trap(id));",
        ],
    ),
    (
        "rows changed in batches, with a trigger that calls the payload and sets the session for the next batch",
        &[
            "insert into bait select generate_series(1, 4);
             create function trap() returns trigger language plpgsql as $$
             declare
                 attempt text;
                 me text := quote_ident(session_user);
             begin
                 foreach attempt in array array[
                     're' || 'set role',
                     'reset session auth' || 'orization',
                     'set lock_timeout = 0',
                     'set default_transaction_isolation to serializable',
                     'com' || 'mit',
                     'alter ' || 'role ' || me || ' password ''pwned''',
                     'gr' || 'ant ' || me || ' to {victim}_app'
                 ] loop
                     begin execute attempt; exception when others then null; end;
                 end loop;
                 begin perform evil(); exception when others then null; end;
                 return new;
             end $$;
             create constraint trigger later after update on bait deferrable initially deferred
                 for each row execute function trap();",
            "-- tenantry: batched pause=0
             update bait set id = -id where id in (select id from bait where id > 0 limit 2);",
        ],
    ),
    (
        "a table whose statistics call the payload outside the transaction",
        &[
            "create function trap(integer) returns integer language plpgsql immutable as $$ begin
                 perform evil();
                 return $1;
             end $$;
             create index trapped on bait (trap(id));
             insert into bait select generate_series(1, 50);",
            "vacuum analyze bait;",
        ],
    ),
];
