//! Makes logged values harmless before any writer sees them: for the text log, the JSON log and the journal alike.
//!
//! Invariant: no value that leaves this module contains a line break or any other character that a terminal obeys. So the
//! author of an error, a name or a request cannot forge a line of the log. A value without such characters passes unchanged.

use std::fmt::Debug;

use tenantry_protocol::text::{escaped, is_hostile};
use tracing::field::{DisplayValue, Field, FieldSet, Value, ValueSet, Visit, display};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// The largest number of fields that an event or a span can have.
const MOST_FIELDS: usize = 32;

/// Wraps a layer, which then receives only harmless values.
#[derive(Debug)]
pub(super) struct Escaping<L>(pub(super) L);

impl<S, L> Layer<S> for Escaping<L>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    L: Layer<S>,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut seen = FieldValues::default();
        event.record(&mut seen);
        if !seen.is_hostile {
            return self.0.on_event(event, context);
        }
        seen.with_values(event.metadata().fields(), |values| {
            let clean = match event.parent() {
                None if event.is_contextual() => Event::new(event.metadata(), values),
                parent => Event::new_child_of(parent.cloned(), event.metadata(), values),
            };
            self.0.on_event(&clean, context);
        });
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut seen = FieldValues::default();
        attributes.record(&mut seen);
        if !seen.is_hostile {
            return self.0.on_new_span(attributes, id, context);
        }
        let metadata = attributes.metadata();
        seen.with_values(metadata.fields(), |values| {
            let clean = match attributes.parent() {
                Some(parent) => Attributes::child_of(parent.clone(), metadata, values),
                None if attributes.is_root() => Attributes::new_root(metadata, values),
                None => Attributes::new(metadata, values),
            };
            self.0.on_new_span(&clean, id, context);
        });
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let mut seen = FieldValues::default();
        record.record(&mut seen);
        let Some(metadata) = context.metadata(id).filter(|_| seen.is_hostile) else {
            return self.0.on_record(id, record, context);
        };
        seen.with_values(metadata.fields(), |values| {
            self.0.on_record(id, &Record::new(values), context);
        });
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        self.0.on_close(id, context);
    }
}

/// The values of an event or a span.
#[derive(Default)]
struct FieldValues {
    values: Vec<(Field, Harmless)>,
    is_hostile: bool,
}

/// A value that can be logged.
enum Harmless {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Bool(bool),
    /// A string, which a writer may put between quotes.
    Text(String),
    /// Any other value, in its own formatting.
    Shown(DisplayValue<String>),
}

impl FieldValues {
    fn keep(&mut self, field: &Field, value: Harmless) {
        self.values.push((field.clone(), value));
    }

    fn clean(&mut self, text: &str) -> String {
        self.is_hostile |= text.contains(is_hostile);
        escaped(text).into_owned()
    }

    fn with_values(&self, fields: &FieldSet, log: impl FnOnce(&ValueSet<'_>)) {
        let Some((padding, _)) = self.values.first() else { return };
        let mut all: [(&Field, Option<&dyn Value>); MOST_FIELDS] = [(padding, None); MOST_FIELDS];
        for (place, (field, value)) in all.iter_mut().zip(&self.values) {
            *place = (field, Some(value.as_value()));
        }
        log(&fields.value_set(&all));
    }
}

impl Harmless {
    fn as_value(&self) -> &dyn Value {
        match self {
            Self::Signed(number) => number,
            Self::Unsigned(number) => number,
            Self::Float(number) => number,
            Self::Bool(truth) => truth,
            Self::Text(text) => text,
            Self::Shown(shown) => shown,
        }
    }
}

impl Visit for FieldValues {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.keep(field, Harmless::Signed(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.keep(field, Harmless::Unsigned(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.keep(field, Harmless::Float(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.keep(field, Harmless::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let text = self.clean(value);
        self.keep(field, Harmless::Text(text));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = self.clean(&format!("{value:?}"));
        self.keep(field, Harmless::Shown(display(text)));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const HOSTILE: &str = "a\u{1b}[31mb\r\n2026-01-01T00:00:00Z ERROR forged\u{9b}\u{202e}\u{2028}";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written about one event within a span, each with hostile values of every kind.
    fn written(json: bool) -> String {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let layer = if json { layer.json().boxed() } else { layer.boxed() };
        let subscriber = tracing_subscriber::registry().with(Escaping(layer));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("span", by = %HOSTILE, later = tracing::field::Empty);
            span.record("later", HOSTILE);
            let _entered = span.enter();
            tracing::warn!(error = %HOSTILE, text = HOSTILE, count = 7, "it says {HOSTILE}");
            tracing::warn!(count = 8, "harmless");
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_value_writes_a_line_or_reaches_a_terminal() {
        for json in [false, true] {
            let text = written(json);
            assert_eq!(text.lines().count(), 2, "{text:?}");
            assert!(!text.replace('\n', "").contains(is_hostile), "{text:?}");
            assert!(text.contains("forged") && text.contains("u{9b}"), "{text:?}");
        }
        assert!(
            written(false).contains("count=7") && written(false).contains(r"it says a\u{1b}[31mb\r\n2026")
        );
        let line: serde_json::Value = serde_json::from_str(written(true).lines().next().unwrap()).unwrap();
        assert_eq!(
            (line["fields"]["count"].as_i64(), line["span"]["name"].as_str()),
            (Some(7), Some("span"))
        );
    }
}
