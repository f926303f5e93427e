//! The program: settings → telemetry → database → app → serve, until told to stop.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use gapless::app::Database;
use gapless::clock::Clock;
use gapless::config::{Config, Settings};
use gapless::{App, lifecycle, routes, server, telemetry};
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A public multi-room chat whose acknowledged messages are never lost, doubled or out of order.
#[derive(Parser)]
#[command(name = "gapless", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the chat. The default.
    Serve,
    /// Print the `OpenAPI` document.
    Openapi,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Some(Command::Openapi) => print_document(),
        None | Some(Command::Serve) => Config::resolve(cli.settings).and_then(run),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // For a person at a terminal: the sentence, and what was behind it.
            eprintln!("gapless: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_document() -> anyhow::Result<()> {
    println!("{}", routes::document().to_pretty_json().context("the document as JSON")?);
    Ok(())
}

#[tokio::main]
async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start_log(config.log_format);
    telemetry::start_metrics();
    rustls::crypto::ring::default_provider().install_default().ok();

    // The port first: a port in use should be heard of before a database is started.
    let address = SocketAddr::new(config.host, config.port);
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("Cannot listen on {address}; is something else using port {}? Set PORT to another", config.port)
    })?;
    let database = Database::open(&config).await?;
    let served = serve(config, listener, &database).await;
    database.close().await;
    served
}

async fn serve(config: Config, listener: TcpListener, database: &Database) -> anyhow::Result<()> {
    let address = listener.local_addr().context("the address listened on")?;
    let demo_mode = config.demo_mode;
    let told_to_stop = lifecycle::told_to_stop();
    tokio::pin!(told_to_stop);
    let app = tokio::select! {
        app = App::start(config, database.options.clone(), Clock::System) => app?,
        () = &mut told_to_stop => return Ok(()),
    };
    let router = routes::router(app.clone());
    tracing::info!(%address, "listening");
    if demo_mode {
        tracing::warn!("demo mode: the accounts ali/test and admin/admin exist, and everybody knows their passwords");
    }
    let serving = tokio::spawn(server::serve(listener, app.clone(), router));
    told_to_stop.await;
    tracing::info!("leaving");
    app.leave().await;
    serving.await.context("the accept loop")?;
    Ok(())
}
