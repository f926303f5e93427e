//! One running instance, from start to shutdown: telemetry → database → app → serve, until a signal to stop. Every
//! entry point ends here.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::app::{App, Database};
use crate::clock::Clock;
use crate::config::{Config, unknown_variables};
use crate::telemetry::{self, trace};
use crate::{lifecycle, routes, server};

/// Runs at the configured address.
///
/// # Errors
/// A message for the operator.
pub fn run(config: Config) -> anyhow::Result<()> {
    prepare(&config);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the async runtime")?;
    runtime.block_on(async {
        // Listen first, so that a port in use is reported before a database is started.
        let listener = listen(config.host, config.port, "PORT")?;
        run_at(listener, config).await
    })
}

/// Process-wide setup, needed once before anything else.
pub fn prepare(config: &Config) {
    telemetry::start_log(config.log_format);
    telemetry::start_metrics();
    rustls::crypto::ring::default_provider().install_default().ok();
    for variable in unknown_variables::of_environment() {
        tracing::warn!("{variable}");
    }
    trace::start();
    raise_descriptor_limit();
}

/// Raises the limit of file descriptors. Each stream needs one, and the default of shells and containers (often 1,024)
/// is meant for programs that may still call `select`. `gapless doctor` reports a limit that cannot be raised far
/// enough.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::debug!(%error, "cannot raise the limit of open files; continuing with the current limit");
        }
    }
}

/// Runs on this socket until the process is told to stop, and shuts down.
///
/// # Errors
/// A message for the operator.
pub async fn run_at(listener: TcpListener, config: Config) -> anyhow::Result<()> {
    let metrics = match config.metrics_port {
        Some(port) => Some(listen(config.host, port, "METRICS_PORT")?),
        None => None,
    };
    let database = Database::open(&config).await?;
    let served = serve(listener, metrics, config, &database).await;
    database.close().await;
    // The rest of the traces is sent with blocking calls.
    tokio::task::spawn_blocking(trace::finish).await.ok();
    served
}

fn listen(host: IpAddr, port: u16, variable: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    server::listen(address).with_context(|| {
        format!("Cannot listen on {address}; is something else using port {port}? Set {variable} to another port")
    })
}

async fn serve(
    listener: TcpListener,
    metrics: Option<TcpListener>,
    config: Config,
    database: &Database,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("cannot read the listening address")?;
    let demo_mode = config.demo_mode;
    let has_metrics = demo_mode || config.metrics_token.is_some() || metrics.is_some();
    let told_to_stop = lifecycle::told_to_stop();
    tokio::pin!(told_to_stop);
    let app = tokio::select! {
        app = App::start(config, database.options.clone(), Clock::System) => app?,
        () = &mut told_to_stop => return Ok(()),
    };
    tracing::info!(%address, "listening");
    if demo_mode {
        tracing::warn!("demo mode is on: the accounts ali/test and admin/admin exist, and their passwords are public");
    }
    if !has_metrics {
        tracing::warn!("nobody can read /metrics: neither METRICS_TOKEN nor METRICS_PORT is set");
    }
    let serving = tokio::spawn(server::serve(listener, app.clone(), trace::follow(routes::router(app.clone()))));
    if let Some(metrics) = metrics {
        app.lifecycle.tasks.spawn(server::serve(metrics, app.clone(), routes::metrics_router(app.clone())));
    }
    told_to_stop.await;
    tracing::info!("shutting down: finishing open requests and ending streams");
    app.leave().await;
    serving.await.context("the task that accepts connections failed")?;
    Ok(())
}
