//! The readers' loop: connect, ask, follow, count.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use anyhow::{Context, bail};
use gapless_client::frame::Frame;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::{Command, Findings, Ticket};
use crate::decoder::Decoder;
use crate::follower::{Follower, Heard};
use crate::ledger::{self, Ledger};

/// Maximum number of connections being opened at a time. Less than any listener's backlog: beyond it, the kernel
/// drops connection attempts and retries only after a second.
const DIALING: usize = 512;
/// Limits the kernel's receive buffer, as on a phone, with room for several full segments of the loopback.
const RECEIVE_BUFFER: usize = 256 * 1024;
/// Streams use several source addresses, so that closed connections in TIME-WAIT do not use up the ports of one.
const SOURCES: usize = 8;
/// The token of commands; all others belong to streams.
pub const WAKE: Token = Token(usize::MAX);

/// One reader and its connection, if it has one.
struct Stream {
    ticket: Ticket,
    socket: Option<TcpStream>,
    asked: bool,
    greeted: bool,
    decoder: Decoder,
    follower: Follower,
}

impl Stream {
    fn new(ticket: Ticket) -> Self {
        Self {
            ticket,
            socket: None,
            asked: false,
            greeted: false,
            decoder: Decoder::default(),
            follower: Follower::default(),
        }
    }

    fn request(&self) -> Vec<u8> {
        let Ticket { room, token, is_compact } = &self.ticket;
        let format = if *is_compact { "&format=compact" } else { "" };
        let mut request = format!(
            "GET /sse?room={room}&access_token={token}{format} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        )
        .into_bytes();
        if !self.follower.cursor().is_empty() {
            request.extend_from_slice(b"Last-Event-ID: ");
            request.extend_from_slice(self.follower.cursor());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request
    }
}

/// The state of the loop.
pub struct Readers {
    poll: Poll,
    address: SocketAddr,
    streams: Vec<Stream>,
    /// Streams to be opened.
    away: VecDeque<usize>,
    /// Number of streams that have sent a request and received no greeting yet.
    dialing: usize,
    refused: usize,
    /// True if a stream that ends reconnects.
    returning: bool,
    /// True if delays are recorded apart.
    aside: bool,
    /// Messages not yet reported to the ledger.
    arrived: u64,
    live: Arc<AtomicUsize>,
    ledger: Arc<Ledger>,
    findings: Findings,
}

impl Readers {
    pub fn new(
        poll: Poll,
        address: SocketAddr,
        tickets: Vec<Ticket>,
        live: Arc<AtomicUsize>,
        ledger: Arc<Ledger>,
    ) -> Self {
        Self {
            poll,
            address,
            away: (0..tickets.len()).collect(),
            streams: tickets.into_iter().map(Stream::new).collect(),
            dialing: 0,
            refused: 0,
            returning: true,
            aside: false,
            arrived: 0,
            live,
            ledger,
            findings: Findings {
                since_commit: ledger::histogram(),
                aside: ledger::histogram(),
                since_post: ledger::histogram(),
                bytes: 0,
                reconnects: 0,
                byes: Vec::new(),
                sample: None,
            },
        }
    }

    pub fn run(mut self, inbox: &mpsc::Receiver<Command>) -> Findings {
        if let Err(error) = self.follow_all(inbox) {
            self.ledger.fail(format!("{error:#}"));
        }
        self.findings
    }

    fn follow_all(&mut self, inbox: &mpsc::Receiver<Command>) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            while self.dialing < DIALING
                && let Some(index) = self.away.pop_front()
            {
                self.dial(index).context("opening a stream")?;
            }
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            for event in &events {
                let Token(index) = event.token();
                if event.token() == WAKE {
                    continue;
                }
                if !self.streams[index].asked && (event.is_writable() || event.is_error()) {
                    self.ask(index).with_context(|| format!("stream {index}"))?;
                }
                if event.is_readable() || event.is_read_closed() {
                    self.read(index, event.is_read_closed(), &mut buffer).with_context(|| format!("stream {index}"))?;
                }
            }
            if self.arrived > 0 {
                self.ledger.deliver(std::mem::take(&mut self.arrived));
            }
            for command in inbox.try_iter() {
                match command {
                    Command::Finish => return Ok(()),
                    Command::SetAside(aside) => self.aside = aside,
                    Command::Hold => self.returning = false,
                    Command::Cut => {
                        self.returning = false;
                        (0..self.streams.len()).for_each(|index| self.close(index));
                    }
                    Command::Resume => {
                        self.returning = true;
                        self.away = (0..self.streams.len()).filter(|at| self.streams[*at].socket.is_none()).collect();
                    }
                }
            }
        }
    }

    fn dial(&mut self, index: usize) -> anyhow::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.set_tcp_nodelay(true)?;
        let source = Ipv4Addr::new(127, 0, 0, 1 + (index % SOURCES) as u8);
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        match socket.connect(&self.address.into()) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
            outcome => outcome?,
        }
        let mut socket = TcpStream::from_std(socket.into());
        self.poll.registry().register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        let stream = &mut self.streams[index];
        stream.socket = Some(socket);
        stream.asked = false;
        stream.greeted = false;
        stream.decoder = Decoder::default();
        self.dialing += 1;
        Ok(())
    }

    fn ask(&mut self, index: usize) -> anyhow::Result<()> {
        let request = self.streams[index].request();
        let stream = &mut self.streams[index];
        let Some(socket) = &mut stream.socket else { return Ok(()) };
        stream.asked = true;
        match socket.write(&request) {
            Ok(length) if length == request.len() => Ok(()),
            Ok(_) => bail!("a request did not fit into an empty socket buffer"),
            Err(_) => {
                self.refused += 1;
                if self.refused > 100_000 {
                    bail!("the server keeps refusing connections");
                }
                self.close(index);
                Ok(())
            }
        }
    }

    fn read(&mut self, index: usize, ending: bool, buffer: &mut [u8]) -> anyhow::Result<()> {
        while let Some(socket) = &mut self.streams[index].socket {
            let length = match socket.read(buffer) {
                Ok(0) => {
                    self.close(index);
                    break;
                }
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    self.close(index);
                    break;
                }
            };
            self.absorb(index, &buffer[..length])?;
            // A short read has emptied the socket: the next byte causes another event.
            if length < buffer.len() && !ending {
                break;
            }
        }
        Ok(())
    }

    fn absorb(&mut self, index: usize, input: &[u8]) -> anyhow::Result<()> {
        let now = self.ledger.now();
        let Self { streams, ledger, findings, arrived, live, dialing, aside, .. } = self;
        let Stream { decoder, follower, greeted, .. } = &mut streams[index];
        findings.bytes += input.len() as u64;
        decoder.absorb(input, &mut |frame: &Frame| {
            match follower.hear(frame)? {
                Heard::Hello => {
                    if !std::mem::replace(greeted, true) {
                        *dialing -= 1;
                        live.fetch_add(1, Ordering::AcqRel);
                    }
                }
                Heard::Message { number } => {
                    let posted = ledger.posted_at(number).context("received a message that was never posted")?;
                    let committed = ledger.committed_at(number).unwrap_or(now);
                    findings.since_post.saturating_record(now.saturating_sub(posted).max(1));
                    let delays = if *aside { &mut findings.aside } else { &mut findings.since_commit };
                    delays.saturating_record(now.saturating_sub(committed).max(1));
                    *arrived += 1;
                    if findings.sample.is_none() {
                        findings.sample = Some(frame.raw.to_vec());
                    }
                }
                Heard::Bye(reason) => findings.byes.push(reason),
                Heard::Other => {}
            }
            Ok(())
        })
    }

    fn close(&mut self, index: usize) {
        let stream = &mut self.streams[index];
        if stream.socket.take().is_none() {
            return;
        }
        if stream.greeted {
            self.live.fetch_sub(1, Ordering::AcqRel);
        } else {
            self.dialing -= 1;
        }
        if self.returning {
            self.findings.reconnects += 1;
            self.away.push_back(index);
        }
    }
}
