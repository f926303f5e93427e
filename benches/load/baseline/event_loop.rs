//! The loop itself: who is connected, what waits for whom, and the writes.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context, bail};
use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::frame;

const LISTENER: Token = Token(usize::MAX);
/// As many frames as go into one `writev`.
const JOINED: usize = 256;
/// A room's frames are forgotten beyond this many, once everybody has them.
const KEPT: usize = 1024;
/// While a reader is this many frames behind, no more are taken in.
const BEHIND: usize = 8192;

struct Room {
    frames: VecDeque<Rc<[u8]>>,
    /// The index of the oldest frame kept.
    first: u64,
    readers: Vec<usize>,
}

struct Reader {
    room: usize,
    /// The frame that goes out next, and how much of it went out already.
    next: u64,
    offset: usize,
}

enum Peer {
    /// Its request is not complete.
    New(Vec<u8>),
    Reader(Reader),
    Feed(Vec<u8>),
    Gone,
}

struct Connection {
    socket: TcpStream,
    peer: Peer,
}

#[derive(Default)]
struct Loop {
    connections: Vec<Connection>,
    rooms: Vec<Room>,
    names: HashMap<Vec<u8>, usize>,
    /// The feed's connection, while it waits for readers that are behind.
    waiting: Option<usize>,
}

/// The child's whole life: it ends when its feeder does.
pub fn serve() -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.set_nonblocking(true)?;
    socket.listen(4096)?;
    let mut listener = TcpListener::from_std(socket.into());
    println!("{}", listener.local_addr()?);
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut state = Loop::default();
    let mut events = Events::with_capacity(4096);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut socket, _)) = listener.accept() {
                    socket.set_nodelay(true)?;
                    let token = Token(state.connections.len());
                    poll.registry().register(&mut socket, token, Interest::READABLE | Interest::WRITABLE)?;
                    state.connections.push(Connection { socket, peer: Peer::New(Vec::new()) });
                }
                continue;
            }
            let Token(index) = event.token();
            if event.is_writable() {
                state.flush(index);
            }
            if event.is_readable() && !state.read(index, &mut buffer)? {
                return Ok(());
            }
        }
        state.release_feed()?;
    }
}

impl Loop {
    /// False when the feeder has gone.
    fn read(&mut self, index: usize, buffer: &mut [u8]) -> anyhow::Result<bool> {
        loop {
            let connection = &mut self.connections[index];
            match connection.socket.read(buffer) {
                Ok(length) if length > 0 => match &mut connection.peer {
                    Peer::New(head) => {
                        head.extend_from_slice(&buffer[..length]);
                        self.greet(index)?;
                    }
                    Peer::Feed(fed) => {
                        fed.extend_from_slice(&buffer[..length]);
                        self.take_bursts(index)?;
                    }
                    Peer::Reader(_) | Peer::Gone => {}
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(true),
                Ok(_) | Err(_) => {
                    let feeder = matches!(connection.peer, Peer::Feed(_));
                    connection.peer = Peer::Gone;
                    return Ok(!feeder);
                }
            }
        }
    }

    fn greet(&mut self, index: usize) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        let Peer::New(head) = &connection.peer else { return Ok(()) };
        if memmem::find(head, b"\r\n\r\n").is_none() {
            return Ok(());
        }
        if head.starts_with(b"FEED") {
            connection.peer = Peer::Feed(Vec::new());
            return Ok(());
        }
        let at = memmem::find(head, b"room=").context("a reader asked for no room")? + 5;
        let name = head.get(at..at + 36).context("a reader's room is cut short")?.to_vec();
        let hello = format!(
            "event: hello\nid: 0.0\ndata: {{\"rooms\":[{{\"id\":\"{}\",\"head_seq\":0}}]}}\n\n",
            String::from_utf8_lossy(&name)
        );
        let mut answer =
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        answer.extend_from_slice(&frame::chunk(hello.as_bytes()));
        if connection.socket.write(&answer).ok() != Some(answer.len()) {
            bail!("a head did not fit an empty socket");
        }
        let room = self.room(&name);
        let next = self.rooms[room].first + self.rooms[room].frames.len() as u64;
        self.rooms[room].readers.push(index);
        self.connections[index].peer = Peer::Reader(Reader { room, next, offset: 0 });
        Ok(())
    }

    fn room(&mut self, name: &[u8]) -> usize {
        let new = self.rooms.len();
        let room = *self.names.entry(name.to_vec()).or_insert(new);
        if room == new {
            self.rooms.push(Room { frames: VecDeque::new(), first: 0, readers: Vec::new() });
        }
        room
    }

    /// Appends each complete burst to its rooms, and offers it to their readers.
    fn take_bursts(&mut self, index: usize) -> anyhow::Result<()> {
        while let Peer::Feed(fed) = &mut self.connections[index].peer {
            let Some((frames, used)) = burst(fed) else { return Ok(()) };
            fed.drain(..used);
            let mut touched = Vec::new();
            for (name, bytes) in frames {
                let room = self.room(&name);
                self.rooms[room].frames.push_back(bytes);
                if !touched.contains(&room) {
                    touched.push(room);
                }
            }
            for room in touched {
                for at in 0..self.rooms[room].readers.len() {
                    let reader = self.rooms[room].readers[at];
                    self.flush(reader);
                }
                self.forget(room);
            }
            self.waiting = Some(index);
            self.release_feed()?;
        }
        Ok(())
    }

    /// Tells the feeder to go on, unless a reader is far behind.
    fn release_feed(&mut self) -> anyhow::Result<()> {
        let Some(feed) = self.waiting else { return Ok(()) };
        for room in 0..self.rooms.len() {
            if self.rooms[room].frames.len() > BEHIND {
                self.forget(room);
            }
            if self.rooms[room].frames.len() > BEHIND {
                return Ok(());
            }
        }
        self.waiting = None;
        self.connections[feed].socket.write_all(&[0]).context("answering the feeder")
    }

    /// Writes all that waits for one reader, until it has everything or its socket is full.
    fn flush(&mut self, index: usize) {
        let Connection { socket, peer } = &mut self.connections[index];
        let Peer::Reader(reader) = peer else { return };
        let room = &self.rooms[reader.room];
        loop {
            let from = (reader.next - room.first) as usize;
            let mut slices = [IoSlice::new(&[]); JOINED];
            let mut count = 0;
            for frame in room.frames.range(from..).take(JOINED) {
                let skip = if count == 0 { reader.offset } else { 0 };
                slices[count] = IoSlice::new(&frame[skip..]);
                count += 1;
            }
            if count == 0 {
                return;
            }
            match socket.write_vectored(&slices[..count]) {
                Ok(written) => {
                    let mut written = reader.offset + written;
                    for frame in room.frames.range(from..).take(count) {
                        if written < frame.len() {
                            break;
                        }
                        written -= frame.len();
                        reader.next += 1;
                    }
                    reader.offset = written;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {
                    *peer = Peer::Gone;
                    return;
                }
            }
        }
    }

    /// Drops the frames that every reader has.
    fn forget(&mut self, room: usize) {
        let room = &mut self.rooms[room];
        if room.frames.len() <= KEPT {
            return;
        }
        let newest = room.first + room.frames.len() as u64;
        let mut oldest = newest;
        for reader in &room.readers {
            if let Peer::Reader(reader) = &self.connections[*reader].peer {
                oldest = oldest.min(reader.next);
            }
        }
        room.frames.drain(..(oldest - room.first) as usize);
        room.first = oldest;
    }
}

/// A frame, and the name of its room.
type Fed = (Vec<u8>, Rc<[u8]>);

/// The frames of the first burst, each with its room, and the burst's length; `None` while it is not complete.
fn burst(fed: &[u8]) -> Option<(Vec<Fed>, usize)> {
    let word = |at: usize| Some(u32::from_le_bytes(fed.get(at..at + 4)?.try_into().ok()?) as usize);
    let mut at = 4;
    let mut frames = Vec::new();
    for _ in 0..word(0)? {
        let length = word(at)?;
        let name = fed.get(at + 4..at + 40)?.to_vec();
        frames.push((name, Rc::from(fed.get(at + 40..at + 40 + length)?)));
        at += 40 + length;
    }
    Some((frames, at))
}
