//! Accounts with real tokens, created and renewed as clients do.

use std::net::SocketAddr;

use anyhow::Context;
use serde_json::{Value, json};

use crate::http::Connection;

const READERS: usize = 48;
const PASSWORD: &str = "a password for the load";

pub struct Accounts {
    pub admin: String,
    /// Access tokens of ordinary users, the demo user first.
    pub users: Vec<String>,
}

impl Accounts {
    pub fn register(address: SocketAddr) -> anyhow::Result<Self> {
        let mut server = Connection::open(address)?;
        let mut users = vec![session(&mut server, "/auth/login", "ali", "test")?];
        for index in 0..READERS {
            users.push(session(&mut server, "/auth/register", &name(index), PASSWORD)?);
        }
        Ok(Self { admin: session(&mut server, "/auth/login", "admin", "admin")?, users })
    }

    /// Tokens expire within minutes, so each shape begins with new ones.
    pub fn renew(&mut self, address: SocketAddr) -> anyhow::Result<()> {
        let mut server = Connection::open(address)?;
        self.users[0] = session(&mut server, "/auth/login", "ali", "test")?;
        for index in 0..READERS {
            self.users[index + 1] = session(&mut server, "/auth/login", &name(index), PASSWORD)?;
        }
        Ok(())
    }

    /// Creates a room and returns its id.
    pub fn create_room(&self, address: SocketAddr, name: &str) -> anyhow::Result<String> {
        let answer = Connection::open(address)?.post("/rooms", Some(&self.admin), &json!({ "name": name }))?;
        let room = answer.success().with_context(|| format!("creating the room {name}"))?.json()?;
        text(&room, "id")
    }
}

fn name(index: usize) -> String {
    format!("reader-{index:02}")
}

fn session(server: &mut Connection, path: &str, username: &str, password: &str) -> anyhow::Result<String> {
    let answer = server.post(path, None, &json!({ "username": username, "password": password }))?;
    let session = answer.success().with_context(|| format!("{path} as {username}"))?.json()?;
    text(&session, "access_token")
}

fn text(object: &Value, field: &str) -> anyhow::Result<String> {
    object[field].as_str().map(str::to_owned).with_context(|| format!("a response has no {field}"))
}
