//! Attacks from files that run outside the transaction, where the session is the owner's own and no function confines it.

use super::Attack;

/// Whether a file runs there.
pub(in crate::attacks::hostile_migrations) fn is_outside(sql: &str) -> bool {
    sql.starts_with("create index concurrently") || sql.starts_with("vacuum")
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
