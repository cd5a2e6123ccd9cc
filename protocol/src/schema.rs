//! JSON Schemas of every call, generated from the types: what a request may contain and what an answer looks like.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, schema_for};

use crate::session::{HelloRequest, HelloResponse};
use crate::with_methods;

/// One call of the service.
#[derive(Debug, Clone, serde::Serialize)]
pub struct MethodSchema {
    /// The name in the service: `blueprint_add`.
    pub method: &'static str,
    pub request: Schema,
    pub response: Schema,
}

macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $answer:ty: $role:ident, $effect:ident, $action:literal;)*) => {
        /// All calls, in the order of the service.
        pub fn methods() -> Vec<MethodSchema> {
            vec![
                method::<HelloRequest, HelloResponse>("hello"),
                $(method::<$request, $answer>(stringify!($name)),)*
            ]
        }
    };
}

with_methods!(schemas);

fn method<Request: JsonSchema, Response: JsonSchema>(method: &'static str) -> MethodSchema {
    MethodSchema { method, request: schema_for!(Request), response: schema_of_output::<Response>() }
}

/// The schema of serialised values, in which every field that is always written is required. Later releases may add fields.
pub fn schema_of_output<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    fn names(list: &Value) -> BTreeSet<String> {
        list.as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn every_recorded_request_fits_the_schema_of_its_call() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        for method in methods() {
            let path = golden.join(format!("{}.request.json", method.method));
            let frame: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
            let call = frame["Request"]["message"].as_object().unwrap().values().next().unwrap();
            let request = call["request"].as_object().unwrap();
            let schema = method.request.as_value();
            let none = serde_json::Map::new();
            let known: BTreeSet<_> =
                schema["properties"].as_object().unwrap_or(&none).keys().cloned().collect();
            let sent: BTreeSet<_> = request.keys().cloned().collect();
            assert!(sent.is_subset(&known), "{}: {sent:?} is sent, {known:?} is known", method.method);
            assert!(names(&schema["required"]).is_subset(&sent), "{}: {schema}", method.method);
        }
    }

    #[test]
    fn every_call_that_is_recorded_has_a_schema() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
        let with_schema: BTreeSet<_> = methods().iter().map(|method| method.method.to_owned()).collect();
        let files = std::fs::read_dir(golden).unwrap().map(|file| file.unwrap().file_name());
        let recorded: BTreeSet<_> =
            files.filter_map(|file| Some(file.to_str()?.strip_suffix(".request.json")?.to_owned())).collect();
        assert_eq!(with_schema, recorded);
    }
}
