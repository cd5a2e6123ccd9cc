//! `[settings.NAME]`: whole numbers that may be set for each tenant, and those that each blueprint has.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use super::{CONNECTION_LIMIT, ManifestEntry, Reader, TEMP_FILE_LIMIT};
use crate::model::blueprint::Setting;
use crate::model::blueprint::findings::shown;

/// A setting that the pipeline itself understands: every blueprint has it.
struct KnownSetting {
    name: &'static str,
    title: &'static str,
    default: i64,
    range: RangeInclusive<i64>,
}

const KNOWN: [KnownSetting; 2] = [
    KnownSetting { name: CONNECTION_LIMIT, title: "Connections at once", default: 20, range: 1..=200 },
    // With less than a few megabytes ordinary sorts fail; the server itself allows up to two terabytes.
    KnownSetting {
        name: TEMP_FILE_LIMIT,
        title: "Temporary files of a connection, MB",
        default: 1_024,
        range: 16..=1_048_576,
    },
];

const SETTING_KEYS: &str = "title, default, min and max";

/// Adds what each blueprint has to what the manifest says.
pub(super) fn complete(settings: &mut BTreeMap<String, Setting>) {
    for KnownSetting { name, title, default, range } in KNOWN {
        settings.entry(name.to_owned()).or_insert_with(|| Setting {
            title: title.to_owned(),
            default,
            min: *range.start(),
            max: *range.end(),
        });
    }
}

impl Reader<'_> {
    pub(super) fn settings(&mut self, value: &ManifestEntry<'_>) -> BTreeMap<String, Setting> {
        let mut settings = BTreeMap::new();
        let Some(tables) = value.get_ref().as_table() else {
            self.fault(value.span(), "settings must be tables: write [settings.NAME] and its keys below");
            return settings;
        };
        for (key, value) in tables {
            let name: &str = key.get_ref();
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            if !name.starts_with(|c: char| c.is_ascii_lowercase())
                || name.len() > 40
                || !name.bytes().all(plain)
            {
                let message = format!(
                    "the setting's name '{}' is not allowed: use at most 40 lower-case letters, digits and \
                     underscores, beginning with a letter",
                    shown(name)
                );
                self.fault(key.span(), message);
            } else if let Some(setting) = self.setting(name, key.span(), value) {
                settings.insert(name.to_owned(), setting);
            }
        }
        settings
    }

    fn setting(&mut self, name: &str, at: Range<usize>, value: &ManifestEntry<'_>) -> Option<Setting> {
        let Some(table) = value.get_ref().as_table() else {
            self.fault(value.span(), format!("settings.{name} must be a table with the keys {SETTING_KEYS}"));
            return None;
        };
        for key in table.keys() {
            if !matches!(key.get_ref().as_ref(), "title" | "default" | "min" | "max") {
                self.unknown(key, SETTING_KEYS);
            }
        }
        let missing: Vec<&str> =
            ["title", "default", "min", "max"].into_iter().filter(|key| table.get(*key).is_none()).collect();
        if !missing.is_empty() {
            self.fault(at, format!("settings.{name} lacks {}", missing.join(", ")));
            return None;
        }
        let title = self.title(&format!("settings.{name}.title"), table.get("title")?);
        let default = self.number(name, "default", table.get("default")?);
        let min = self.number(name, "min", table.get("min")?);
        let max = self.number(name, "max", table.get("max")?);
        let setting = Setting { title: title?, default: default?, min: min?, max: max? };
        if setting.min > setting.default || setting.default > setting.max {
            let Setting { default, min, max, .. } = setting;
            self.fault(
                at,
                format!("settings.{name}: default {default} is not within min {min} and max {max}"),
            );
            return None;
        }
        if let Some(KnownSetting { range, .. }) = KNOWN.iter().find(|known| known.name == name)
            && !(range.contains(&setting.min) && range.contains(&setting.max))
        {
            let (low, high) = (range.start(), range.end());
            self.fault(at, format!("settings.{name}: min and max must be within {low} and {high}"));
            return None;
        }
        Some(setting)
    }

    fn number(&mut self, setting: &str, key: &str, value: &ManifestEntry<'_>) -> Option<i64> {
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|digits| i64::from_str_radix(digits.as_str(), digits.radix()).ok());
        if number.is_none() {
            self.fault(
                value.span(),
                format!("settings.{setting}.{key} must be a whole number of at most 64 bits"),
            );
        }
        number
    }
}
