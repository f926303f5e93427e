//! Writers: a group that posts as fast as its messages are committed, and a single writer.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use uuid::Uuid;

use crate::frame;
use crate::http::{self, Connection};
use crate::ledger::{self, Ledger};

/// Writers on keep-alive connections; message `n` goes to room `n` modulo the number of rooms.
pub struct Crowd<'a> {
    pub address: SocketAddr,
    pub tokens: &'a [String],
    pub rooms: &'a [String],
    pub connections: usize,
}

/// The condition for a crowd to stop.
#[derive(Clone, Copy)]
pub enum Until {
    Elapsed(Duration),
    Posts(u64),
}

pub struct Posted {
    pub posts: u64,
    pub seconds: f64,
    /// Nanoseconds from sending a post to reading its response.
    pub answered: Histogram<u64>,
}

struct Writer {
    socket: TcpStream,
    /// The message whose response is awaited.
    number: Option<u64>,
    answer: Vec<u8>,
}

impl Crowd<'_> {
    /// Posts from this thread until the given condition, one message at a time on each connection.
    pub fn post(&self, ledger: &Ledger, until: Until) -> anyhow::Result<Posted> {
        let mut poll = Poll::new()?;
        let mut writers = Vec::with_capacity(self.connections);
        for index in 0..self.connections {
            let socket = std::net::TcpStream::connect(self.address).context("connecting a writer")?;
            socket.set_nodelay(true)?;
            socket.set_nonblocking(true)?;
            let mut socket = TcpStream::from_std(socket);
            poll.registry().register(&mut socket, Token(index), Interest::READABLE)?;
            writers.push(Writer { socket, number: None, answer: Vec::with_capacity(2048) });
        }

        // The upper half of client ids differs from run to run; the lower half counts.
        let run = Uuid::now_v7().as_u128() & !u128::from(u64::MAX);
        let first = ledger.posts();
        let began = Instant::now();
        let open = |posts: u64| match until {
            Until::Elapsed(time) => began.elapsed() < time,
            Until::Posts(due) => posts - first < due,
        };
        let mut answered = ledger::histogram();
        let mut busy = 0;
        for (index, writer) in writers.iter_mut().enumerate() {
            if open(ledger.posts()) {
                self.send(index, writer, ledger, run)?;
                busy += 1;
            }
        }
        let mut events = Events::with_capacity(1024);
        while busy > 0 {
            match poll.poll(&mut events, Some(Duration::from_secs(30))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                outcome => outcome?,
            }
            ensure!(!events.is_empty(), "{busy} posts have no response after 30 s");
            ledger.check()?;
            for event in &events {
                let Token(index) = event.token();
                let writer = &mut writers[index];
                let Some(number) = writer.receive()? else { continue };
                ledger.commit(number);
                let sent = ledger.posted_at(number).context("a response without a post")?;
                answered.saturating_record(ledger.now() - sent);
                if open(ledger.posts()) {
                    self.send(index, writer, ledger, run)?;
                } else {
                    busy -= 1;
                }
            }
        }
        Ok(Posted { posts: ledger.posts() - first, seconds: began.elapsed().as_secs_f64(), answered })
    }

    fn send(&self, index: usize, writer: &mut Writer, ledger: &Ledger, run: u128) -> anyhow::Result<()> {
        let number = ledger.post();
        let request = self.request(index, number, run);
        let written = writer.socket.write(&request).context("sending a post")?;
        ensure!(written == request.len(), "a post did not fit into an empty socket buffer");
        writer.number = Some(number);
        Ok(())
    }

    fn request(&self, index: usize, number: u64, run: u128) -> Vec<u8> {
        let token = &self.tokens[index % self.tokens.len()];
        let room = &self.rooms[number as usize % self.rooms.len()];
        let client_id = Uuid::from_u128(run | u128::from(number));
        let body = frame::body(number);
        let json = format!(r#"{{"room_id":"{room}","body":"{body}","client_id":"{client_id}"}}"#);
        http::request("POST", "/messages", Some(token), &json)
    }

    /// A single writer, which waits for the response to each post.
    pub fn alone(&self) -> anyhow::Result<Alone<'_>> {
        let run = Uuid::now_v7().as_u128() & !u128::from(u64::MAX);
        Ok(Alone { crowd: self, connection: Connection::open(self.address)?, run })
    }
}

impl Writer {
    /// Returns the number of the message whose response is complete.
    fn receive(&mut self) -> anyhow::Result<Option<u64>> {
        let mut part = [0; 8192];
        loop {
            match self.socket.read(&mut part) {
                Ok(0) => bail!("the server closed a writer's connection"),
                Ok(length) => self.answer.extend_from_slice(&part[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("reading a response"),
            }
        }
        let Some((status, head, length)) = http::answer(&self.answer)? else { return Ok(None) };
        if status != 201 {
            bail!("a post was answered {status}: {}", String::from_utf8_lossy(&self.answer[head..length]));
        }
        self.answer.clear();
        Ok(self.number.take())
    }
}

pub struct Alone<'a> {
    crowd: &'a Crowd<'a>,
    connection: Connection,
    run: u128,
}

impl Alone<'_> {
    /// Posts one message and returns the duration.
    pub fn post(&mut self, ledger: &Ledger) -> anyhow::Result<Duration> {
        let number = ledger.post();
        let request = self.crowd.request(0, number, self.run);
        let began = Instant::now();
        let answer = self.connection.send(&request)?.success()?;
        let took = began.elapsed();
        ensure!(answer.status == 201, "a new message was answered {}", answer.status);
        ledger.commit(number);
        Ok(took)
    }
}
