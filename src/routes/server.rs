//! `GET /server`: the settings of this server that the app shows or depends on.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::config::Registration;
use crate::extract::Json;

/// Settings of the server.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct Server {
    /// True if the demo accounts `ali` and `admin` exist.
    demo: bool,
    /// True if users may reply to an admin who wrote to them first.
    dm_replies: bool,
    /// Registration policy.
    registration: Registration,
    #[schema(example = "0.1.0")]
    version: &'static str,
}

impl Server {
    pub(super) fn of(app: &App) -> Self {
        Self {
            demo: app.config.demo_mode,
            dm_replies: app.config.dm_replies,
            registration: app.config.registration,
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// Read the settings of this server that an app depends on. They do not change while it runs.
#[utoipa::path(get, path = "/server", tag = "server", responses((status = 200, body = Server)))]
pub async fn get_server(State(app): State<App>) -> Json<Server> {
    Json(Server::of(&app))
}
