//! A network link that can be made to fail: the proxy of the chaos run, between a program and a service.

use std::path::PathBuf;

use sqlx::postgres::PgConnectOptions;

#[expect(dead_code, reason = "the chaos run uses more faults than the tests do")]
#[path = "../../../chaos/src/proxy.rs"]
mod proxy;

pub use proxy::{Disturbance, Link, Upstream};

impl Upstream {
    /// Returns the address on which a database listens.
    pub async fn of_database(options: &PgConnectOptions) -> Self {
        let (host, port) = (options.get_host(), options.get_port());
        let directory = options.get_socket().cloned().or_else(|| host.starts_with('/').then(|| PathBuf::from(host)));
        if let Some(directory) = directory {
            return Self::Unix(directory.join(format!(".s.PGSQL.{port}")));
        }
        let mut found = tokio::net::lookup_host((host, port)).await.expect("the database has an address");
        Self::Tcp(found.next().expect("the database has an address"))
    }
}
