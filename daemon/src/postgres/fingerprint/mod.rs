//! Reads the fingerprint of a placement from the catalog.
//!
//! Invariants: only the catalog is read, in a fixed number of queries, and the server writes definitions out of what it has parsed
//! long ago: nothing that a tenant owns is called, evaluated or looked up by name. What is in the schema is read from the
//! objects themselves, by numbers that [`INSIDE`] finds. The answer is bounded in objects and bytes.

mod code;
mod relations;
mod rights;

use sqlx::postgres::types::Oid;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;

use super::connections::execute::execute;
use super::dependencies::INSIDE;
use super::error::{Result, doing};
use crate::model::fingerprint::{Fingerprint, Object, TENANT};

/// The most objects of a placement that are compared.
pub const MOST_OBJECTS: usize = 50_000;
/// The most bytes of their definitions.
pub const MOST_BYTES: usize = 32 * 1024 * 1024;

/// What was read.
#[derive(Debug)]
pub enum FingerprintReading {
    Whole(Fingerprint),
    /// There is more than [`MOST_OBJECTS`] or [`MOST_BYTES`].
    TooMuch,
}

/// A query over the objects of one catalog, which gives kind, name, parent, body and clauses of each. `$1` are the numbers
/// of the objects, and `$2` is the placement.
struct DefinitionQuery {
    of: ObjectCatalog,
    sql: &'static str,
}

/// Where the numbers of a part's objects are from.
#[derive(Clone, Copy)]
enum ObjectCatalog {
    Relations,
    Functions,
    Types,
    Statistics,
    /// The schema itself.
    Schema,
}

/// What a relation is called, in the place of `{kind}`.
const KIND: &str =
    "case c.relkind when 'f' then 'foreign table' when 'v' then 'view' when 'm' then 'materialized view'
    when 'S' then 'sequence' else 'table' end";

const PARTS: [&DefinitionQuery; 16] = [
    &relations::TABLES,
    &relations::COLUMNS,
    &relations::CONSTRAINTS,
    &relations::INDEXES,
    &relations::SEQUENCES,
    &code::VIEWS,
    &code::FUNCTIONS,
    &code::TRIGGERS,
    &code::POLICIES,
    &code::RULES,
    &code::TYPES,
    &relations::STATISTICS,
    &rights::ON_RELATIONS,
    &rights::ON_FUNCTIONS,
    &rights::ON_TYPES,
    &rights::OF_THE_SCHEMA,
];

type Row = (String, String, Option<String>, String, Vec<String>);

/// The numbers of the objects in a placement's schema.
struct ObjectNumbers {
    relations: Vec<Oid>,
    functions: Vec<Oid>,
    types: Vec<Oid>,
    statistics: Vec<Oid>,
    schemas: Vec<Oid>,
    /// Of other catalogs: how the server describes them.
    others: Vec<String>,
    found: i64,
}

/// Reads the fingerprint in a transaction of its own, on a connection that is in none.
pub async fn read(connection: &mut PgConnection, placement: &PlacementName) -> Result<FingerprintReading> {
    let mut tx =
        connection.begin_with("begin read only").await.map_err(doing("begin to read the fingerprint"))?;
    let reading = read_within(&mut tx, placement).await?;
    tx.rollback().await.map_err(doing("end the reading of the fingerprint"))?;
    Ok(reading)
}

/// Reads the fingerprint as the open transaction sees it.
pub async fn read_within(
    connection: &mut PgConnection,
    placement: &PlacementName,
) -> Result<FingerprintReading> {
    // The catalog grows with every tenant, and the server does not know how few of its rows are asked for.
    execute(connection, "set local enable_seqscan = off".to_owned(), "read along the indexes").await?;
    let inventory = inventory(connection, placement).await?;
    if usize::try_from(inventory.found).unwrap_or(usize::MAX) > MOST_OBJECTS {
        return Ok(FingerprintReading::TooMuch);
    }
    let mut objects = Vec::new();
    let mut bytes = 0;
    for part in PARTS {
        let numbers = inventory.of(part.of);
        if numbers.is_empty() {
            continue;
        }
        for row in rows(connection, part, numbers, placement).await? {
            let object = object(row, placement);
            bytes += object.body.len() + object.clauses.iter().map(String::len).sum::<usize>();
            objects.push(object);
        }
        if objects.len() > MOST_OBJECTS || bytes > MOST_BYTES {
            return Ok(FingerprintReading::TooMuch);
        }
    }
    objects.extend(inventory.others.into_iter().map(|identity| other(&identity, placement)));
    Ok(FingerprintReading::Whole(Fingerprint::new(objects)))
}

async fn inventory(connection: &mut PgConnection, placement: &PlacementName) -> Result<ObjectNumbers> {
    let sql = format!(
        "with home (oid) as (select oid from pg_namespace where nspname = $1), {INSIDE},
              present as (select classid, objid from inside limit {MOST_OBJECTS} + 1)
         select array(select objid from present where classid = 'pg_class'::regclass) as relations,
                array(select objid from present where classid = 'pg_proc'::regclass) as functions,
                array(select objid from present where classid = 'pg_type'::regclass) as types,
                array(select objid from present where classid = 'pg_statistic_ext'::regclass) as statistics,
                array(select oid from home) as schemas,
                array(select o.type || ' ' || o.identity from present s, pg_identify_object(s.classid, s.objid, 0) o
                      where s.classid <> all (array['pg_class'::regclass, 'pg_proc', 'pg_type', 'pg_statistic_ext'])
                        and o.identity is not null) as others,
                (select count(*) from present) as found"
    );
    type Found = (Vec<Oid>, Vec<Oid>, Vec<Oid>, Vec<Oid>, Vec<Oid>, Vec<String>, i64);
    let (relations, functions, types, statistics, schemas, others, found): Found =
        sqlx::query_as(AssertSqlSafe(sql))
            .persistent(false)
            .bind(placement.as_str())
            .fetch_one(connection)
            .await
            .map_err(doing("list the objects of the placement"))?;
    Ok(ObjectNumbers { relations, functions, types, statistics, schemas, others, found })
}

impl ObjectNumbers {
    fn of(&self, catalog: ObjectCatalog) -> &[Oid] {
        match catalog {
            ObjectCatalog::Relations => &self.relations,
            ObjectCatalog::Functions => &self.functions,
            ObjectCatalog::Types => &self.types,
            ObjectCatalog::Statistics => &self.statistics,
            ObjectCatalog::Schema => &self.schemas,
        }
    }
}

async fn rows(
    connection: &mut PgConnection,
    part: &DefinitionQuery,
    numbers: &[Oid],
    placement: &PlacementName,
) -> Result<Vec<Row>> {
    let sql = part.sql.replace("{kind}", KIND);
    sqlx::query_as(AssertSqlSafe(sql))
        .persistent(false)
        .bind(numbers)
        .bind(placement.as_str())
        .fetch_all(connection)
        .await
        .map_err(doing("read the definitions of the placement"))
}

fn object((kind, name, parent, body, clauses): Row, placement: &PlacementName) -> Object {
    let text = |text: String| text.replace(placement.as_str(), TENANT);
    Object {
        kind,
        name: text(name),
        parent: parent.map(text),
        body: text(body).trim_end().trim_end_matches(';').to_owned(),
        clauses: clauses.into_iter().map(text).collect(),
    }
}

/// Of such an object, only that it is there is compared.
fn other(identity: &str, placement: &PlacementName) -> Object {
    let name = identity.replace(placement.as_str(), TENANT);
    Object { kind: "object".to_owned(), name, parent: None, body: String::new(), clauses: Vec::new() }
}
