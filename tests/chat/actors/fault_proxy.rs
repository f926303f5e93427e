//! Network links that can be made to fail, between a program and its clients or database.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

pub use gapless_client::link::{Link, LinkFault, Upstream};

/// Starts a link to a database.
pub async fn link_to_database(options: &PgConnectOptions) -> Link {
    let (host, port) = (options.get_host(), options.get_port());
    let directory = options.get_socket().cloned().or_else(|| host.starts_with('/').then(|| PathBuf::from(host)));
    let upstream = if let Some(directory) = directory {
        Upstream::Unix(directory.join(format!(".s.PGSQL.{port}")))
    } else {
        let mut found = tokio::net::lookup_host((host, port)).await.expect("the database has an address");
        Upstream::Tcp(found.next().expect("the database has an address"))
    };
    Link::to(upstream).await.expect("a free port")
}
