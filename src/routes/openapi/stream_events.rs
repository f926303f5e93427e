//! The events of `GET /sse` in the document: one schema for each kind, and their union.
//!
//! Only the document uses these types; the frames are encoded elsewhere. `tests/chat/stream_events.rs` checks frames
//! of every kind against these schemas. The front end's `events.ts` is generated from them. Kinds of the log describe
//! themselves in [`crate::store::events`]; those of the stream alone are variants here.

use time::OffsetDateTime;
use utoipa::openapi::schema::{ArrayBuilder, ArrayItems, Discriminator, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Components, Ref, RefOr};
use utoipa::{PartialSchema as _, ToSchema};
use uuid::Uuid;

use crate::event::{Author, User};
use crate::store::events::{self, Description};

/// An event of the stream. `kind` and `id` are the fields `event:` and `id:` of a server-sent event, and `data` is the
/// JSON of its field `data:`. Kinds without an `id` do not move the position of the stream. Later releases add kinds and
/// fields: ignore those that you do not know.
#[derive(ToSchema)]
#[serde(tag = "kind")]
#[expect(dead_code, reason = "only its schema is used")]
enum StreamEvent {
    /// The first event of every stream: where it starts and what it carries.
    #[serde(rename = "hello")]
    Hello { id: EventId, data: HelloData },
    /// The online counts of a room that the stream carries.
    #[serde(rename = "presence")]
    Presence { data: PresenceData },
    /// A user types in a room that the stream carries: valid for five seconds, or until a message of this user. Sent at
    /// most every three seconds, to the user's own streams too.
    #[serde(rename = "typing")]
    Typing { data: TypingData },
    /// Rooms that the stream does not carry and of which something changed: a new message (at once, or once a second in a
    /// busy room), or the online counts (every 15 seconds or less often). With `follow` only followed rooms.
    #[serde(rename = "lobby")]
    Lobby { data: LobbyData },
    /// The stream has passed this position; no further events up to there.
    #[serde(rename = "heartbeat")]
    Heartbeat { id: EventId, data: HeartbeatData },
    /// The access token expires in about a minute.
    #[serde(rename = "expiring")]
    Expiring { data: ExpiringData },
    /// Events were skipped: reload over REST. The stream is live from this position.
    #[serde(rename = "reset")]
    Reset { id: EventId, data: ResetData },
    /// This instance is shutting down: reconnect after `retry_ms`.
    #[serde(rename = "drain")]
    Drain { data: DrainData },
    /// The last event of a stream, with the reason of its end.
    #[serde(rename = "bye")]
    Bye { data: ByeData },
}

/// A position in the stream. Opaque; a stream opened with it as `cursor` continues after this event.
#[derive(ToSchema)]
#[schema(value_type = String, max_length = 64, pattern = r"^[A-Za-z0-9._-]+\.[0-9]+$")]
#[expect(dead_code, reason = "only its schema is used")]
struct EventId(String);

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct HelloData {
    /// Start of this stream: it carries the events after this position.
    cursor: EventId,
    rooms: Vec<RoomHead>,
    /// Requested rooms that are unknown or archived.
    missing: Vec<Uuid>,
    /// With `follow`: the followed rooms. Unknown and archived ones are not followed.
    #[schema(required = false)]
    followed: Option<Vec<RoomHead>>,
    #[schema(required = true)]
    user: Option<User>,
    heartbeat_secs: u64,
    /// Time at which the access token expires; `null` for guests.
    #[schema(required = true)]
    expires_at: Option<OffsetDateTime>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct RoomHead {
    id: Uuid,
    /// `seq` of the newest message; 0 in a room without any.
    head_seq: i64,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct PresenceData {
    room_id: Uuid,
    users: u32,
    guests: u32,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct TypingData {
    room_id: Uuid,
    user: Author,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct LobbyData {
    rooms: Vec<LobbyRoom>,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct LobbyRoom {
    id: Uuid,
    /// `seq` of the newest message.
    head_seq: i64,
    users: u32,
    guests: u32,
}

#[derive(ToSchema)]
struct HeartbeatData {}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct ExpiringData {
    expires_at: OffsetDateTime,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct ResetData {
    reason: ResetReason,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum ResetReason {
    Epoch,
    ReplayLimit,
    UnknownCursor,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct DrainData {
    retry_ms: u64,
}

#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct ByeData {
    reason: ByeReason,
}

#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
enum ByeReason {
    Expired,
    Revoked,
    Slow,
    Shutdown,
    Busy,
}

/// Adds the union, its variants and everything that they refer to.
pub(super) fn describe(components: &mut Components) {
    let mut schemas = Vec::new();
    StreamEvent::schemas(&mut schemas);
    components.schemas.extend(schemas);

    let RefOr::T(Schema::OneOf(mut union)) = StreamEvent::schema() else { unreachable!("an enum is a `oneOf`") };
    for told in events::descriptions() {
        let schemas = (told.data)();
        union.items.push(durable(told, &schemas[0].0).into());
        components.schemas.extend(schemas);
    }
    let mut discriminator = Discriminator::new("kind");
    // A discriminator counts only for variants that have a name.
    for variant in &mut union.items {
        let kind = kind_of(variant);
        let name = format!("{}Event", pascal_case(&kind));
        let reference = Ref::from_schema_name(&name);
        discriminator.mapping.insert(kind, reference.ref_location.clone());
        components.schemas.insert(name, std::mem::replace(variant, reference.into()));
    }
    union.discriminator = Some(discriminator);
    components.schemas.insert("StreamEvent".to_owned(), Schema::OneOf(union).into());
    components.schemas.insert("CompactMessage".to_owned(), compact_message().into());
}

const COMPACT: &str = "\
A message on a stream with `format=compact`: `data:` of `message.posted`, whose frame has no `event:`, and of \
`message.edited`, whose frame has `event:edited`. Frames whose message has no short form have the usual name and data.";
const COMPACT_HEAD: &str = "\
22 characters of `id`, 22 of `author.id`, the last 5 of the 22 of `room_id`, and `client_id` without the characters at its \
beginning that are the same in `id`; then a space and `author.username`. UUIDs are in base64url without padding (RFC 4648, \
section 5). Rooms are those of the request: ask for JSON if the last 5 characters of two of them are equal.";
const COMPACT_CREATED: &str = "\
A number: microseconds from the time in `id`, which is its first 48 bits, in milliseconds since 1970, to `created_at`. A \
string: `created_at` itself.";
const COMPACT_MORE: &str = "\
May be absent: `edited_at`, `deleted_at` and `reply_to` if they are not `null`; `mentions` if there are any; `pos` if it is not the number at the end of the frame's \
`id:`; further fields of `author`; and fields that later releases add.";

fn compact_message() -> Schema {
    let field = |kind: SchemaType, about: &str| ObjectBuilder::new().schema_type(kind).description(Some(about)).build();
    let fields = [
        field(Type::String.into(), COMPACT_HEAD),
        field(Type::Integer.into(), "`seq`"),
        field(SchemaType::from_iter([Type::Integer, Type::String]), COMPACT_CREATED),
        field(SchemaType::from_iter([Type::String, Type::Null]), "`body`"),
        field(Type::Object.into(), COMPACT_MORE),
    ];
    ArrayBuilder::new().description(Some(COMPACT)).prefix_items(fields).items(ArrayItems::False).into()
}

/// Returns the variant of an event of the log.
fn durable(told: Description, data: &str) -> Schema {
    ObjectBuilder::new()
        .description(Some(told.about))
        .property("id", Ref::from_schema_name("EventId"))
        .property("data", Ref::from_schema_name(data))
        .property("kind", ObjectBuilder::new().schema_type(Type::String).enum_values(Some([told.name])))
        .required("id")
        .required("data")
        .required("kind")
        .into()
}

/// Returns the only value that the variant's `kind` can have.
fn kind_of(variant: &RefOr<Schema>) -> String {
    let schema = serde_json::to_value(variant).expect("a schema is JSON");
    schema["properties"]["kind"]["enum"][0].as_str().expect("a tagged variant names its kind").to_owned()
}

fn pascal_case(kind: &str) -> String {
    let capitalized = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
    kind.split(['.', '_']).map(capitalized).collect()
}
