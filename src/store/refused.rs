//! Explains a refused database connection in one sentence that includes the remedy.

use anyhow::{Error, anyhow};
use sqlx::postgres::PgConnectOptions;

/// Explains the usual errors; returns any other error unchanged.
pub fn explain(error: impl Into<Error>, options: &PgConnectOptions) -> Error {
    let error = error.into();
    match error.downcast_ref().and_then(|cause| sentence(cause, options)) {
        Some(sentence) => anyhow!(sentence),
        None => error,
    }
}

fn sentence(error: &sqlx::Error, options: &PgConnectOptions) -> Option<String> {
    let (role, database) = (options.get_username(), options.get_database().unwrap_or(options.get_username()));
    let place = || format!("{}:{}", options.get_host(), options.get_port());
    Some(match error {
        sqlx::Error::Database(refusal) => {
            let (code, message) = (refusal.code().unwrap_or_default().into_owned(), refusal.message());
            match code.as_str() {
                // PostgreSQL reports it as a refusal by `pg_hba.conf`, PgBouncer in its own words.
                "28000" | "08P01" if asks_for_tls(message) => {
                    format!(
                        "{} accepts connections over TLS only: add ?sslmode=require (or verify-full) to the URL",
                        place()
                    )
                }
                "28P01" | "28000" => {
                    format!("{} refuses the role {role}: {message}. Check the user and password in the URL", place())
                }
                "3D000" | "08P01" if is_unknown_database(&code, message) => {
                    format!(
                        "{} has no database {database}: create it (create database {database} owner {role}) or use \
                         another name",
                        place()
                    )
                }
                "53300" => format!(
                    "{} has no free connections ({message}): raise max_connections, or lower DB_POOL_SIZE or the \
                     number of instances",
                    place()
                ),
                "25006" => format!("{} is read-only, like a standby: use the primary's address", place()),
                "42501" | "3F000" if is_about_the_schema(&code, message) => format!(
                    "the role {role} may not create tables in the schema public: as the owner of the database \
                     {database}, run `grant usage, create on schema public to {role}`, or make {role} its owner"
                ),
                "42501" => format!(
                    "the role {role} lacks a permission in the database {database}: {message}. Use the role that owns \
                     its tables"
                ),
                _ => return None,
            }
        }
        sqlx::Error::Tls(reason) => {
            format!("TLS with {} failed: {reason}. Check sslmode and sslrootcert in the URL", place())
        }
        sqlx::Error::Io(reason) => format!("cannot connect to {}: {reason}", place()),
        _ => return None,
    })
}

fn asks_for_tls(message: &str) -> bool {
    ["no encryption", "SSL off", "SSL required", "TLS required"].iter().any(|words| message.contains(words))
}

fn is_unknown_database(code: &str, message: &str) -> bool {
    code == "3D000" || message.starts_with("no such database")
}

fn is_about_the_schema(code: &str, message: &str) -> bool {
    code == "3F000" || message.contains("schema public")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::store::connect_alone;

    /// A server that refuses every connection with this error, in PostgreSQL's format.
    async fn refusing(code: &str, message: &str) -> PgConnectOptions {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
        let length = u32::try_from(fields.len() + 4).expect("a short message");
        let refusal = [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let _asked = socket.read(&mut [0; 512]).await;
                let _told = socket.write_all(&refusal).await;
            }
        });
        format!("postgres://chat@127.0.0.1:{port}/talk?sslmode=disable").parse().expect("an address")
    }

    #[rstest]
    #[case("28P01", "password authentication failed for user \"chat\"", "refuses the role chat")]
    #[case(
        "28000",
        "no pg_hba.conf entry for host \"10.0.0.1\", user \"chat\", database \"talk\", no encryption",
        "over TLS only"
    )]
    #[case("08P01", "SSL required", "over TLS only")]
    #[case("3D000", "database \"talk\" does not exist", "has no database talk")]
    #[case("08P01", "no such database: talk", "has no database talk")]
    #[case("53300", "sorry, too many clients already", "lower DB_POOL_SIZE")]
    #[tokio::test]
    async fn a_refusal_is_explained_in_one_sentence_with_a_remedy(
        #[case] code: &str,
        #[case] message: &str,
        #[case] expected: &str,
    ) {
        let told = connect_alone(&refusing(code, message).await).await.expect_err("it refuses");
        let told = format!("{told:#}");
        assert!(told.contains(expected) && told.lines().count() == 1, "{told}");
    }
}
