//! Replaces values that differ from run to run by their kind, so that the rest can be compared literally.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gapless::realtime::cursor::Cursor;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// Replaces ids, times, cursors, tokens and positions in the JSON by their kind, each only if it has the documented
/// form.
pub fn redacted(value: &Value) -> Value {
    match value {
        Value::String(text) => kind(text).unwrap_or(text).into(),
        Value::Array(items) => items.iter().map(redacted).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let value = if name == "pos" && value.is_u64() { "[pos]".into() } else { redacted(value) };
                (name.clone(), value)
            })
            .collect(),
        other => other.clone(),
    }
}

fn kind(text: &str) -> Option<&'static str> {
    if text.len() == 36 && text.parse::<Uuid>().is_ok() {
        return Some("[uuid]");
    }
    if OffsetDateTime::parse(text, &Rfc3339).is_ok_and(|time| time.offset().is_utc()) {
        return Some("[time]");
    }
    if text.starts_with("eyJ") && text.split('.').count() == 3 {
        return Some("[jwt]");
    }
    if URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32 || bytes.len() == 50) {
        return Some("[secret]");
    }
    let is_cursor = text.parse::<Cursor>().is_ok_and(|cursor| cursor.epoch.len() == 12);
    is_cursor.then_some("[cursor]")
}
