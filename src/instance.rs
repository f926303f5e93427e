//! One running instance, from its settings to its last goodbye: telemetry → database → app → serve, until told
//! to stop. Every entry point ends here.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use tokio::net::TcpListener;

use crate::app::{App, Database};
use crate::clock::Clock;
use crate::config::{Config, stray};
use crate::telemetry::{self, trace};
use crate::{lifecycle, routes, server};

/// Runs at the address that the settings name.
///
/// # Errors
/// A sentence for the operator.
pub fn run(config: Config) -> anyhow::Result<()> {
    prepare(&config);
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot start")?;
    runtime.block_on(async {
        // The port first: a port in use should be heard of before a database is started.
        let listener = listen(config.host, config.port, "PORT")?;
        run_at(listener, config).await
    })
}

/// What the process needs once, before anything else.
pub fn prepare(config: &Config) {
    telemetry::start_log(config.log_format);
    telemetry::start_metrics();
    rustls::crypto::ring::default_provider().install_default().ok();
    for stray in stray::of_environment() {
        tracing::warn!("{stray}");
    }
    trace::start();
    raise_descriptor_limit();
}

/// Each stream is a descriptor, and what a shell or a container gives at first (1,024, often) is for programs that
/// might still call `select`. What cannot be raised is said by `gapless doctor`.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::debug!(%error, "the limit of descriptors stays where it is");
        }
    }
}

/// Runs on this socket until the process is told to stop, and then until everybody has left.
///
/// # Errors
/// A sentence for the operator.
pub async fn run_at(listener: TcpListener, config: Config) -> anyhow::Result<()> {
    let metrics = match config.metrics_port {
        Some(port) => Some(listen(config.host, port, "METRICS_PORT")?),
        None => None,
    };
    let database = Database::open(&config).await?;
    let served = serve(listener, metrics, config, &database).await;
    database.close().await;
    // What is left of traces is sent by blocking calls.
    tokio::task::spawn_blocking(trace::finish).await.ok();
    served
}

fn listen(host: IpAddr, port: u16, variable: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::new(host, port);
    server::listen(address).with_context(|| {
        format!("Cannot listen on {address}; is something else using port {port}? Set {variable} to another")
    })
}

async fn serve(
    listener: TcpListener,
    metrics: Option<TcpListener>,
    config: Config,
    database: &Database,
) -> anyhow::Result<()> {
    let address = listener.local_addr().context("the address listened on")?;
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
        tracing::warn!("demo mode: the accounts ali/test and admin/admin exist, and everybody knows their passwords");
    }
    if !has_metrics {
        tracing::warn!("nobody can read /metrics: neither METRICS_TOKEN nor METRICS_PORT is set");
    }
    let serving = tokio::spawn(server::serve(listener, app.clone(), trace::follow(routes::router(app.clone()))));
    if let Some(metrics) = metrics {
        app.lifecycle.tasks.spawn(server::serve(metrics, app.clone(), routes::metrics_router(app.clone())));
    }
    told_to_stop.await;
    tracing::info!("leaving");
    app.leave().await;
    serving.await.context("the accept loop")?;
    Ok(())
}
