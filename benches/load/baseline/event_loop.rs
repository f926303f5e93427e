//! The event loop of the baseline: connections, queues and writes.

use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use memchr::memmem;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
/// Maximum number of frames in one `writev`.
const JOINED: usize = 64;
/// Number of readers written to before the loop checks for new frames, so that those are joined too.
const TURN: usize = 64;
/// Number of frames that a room keeps; beyond it, frames that all readers have are dropped.
const KEPT: usize = 1024;
/// While a reader is this many frames behind, no more bursts are confirmed.
const BEHIND: usize = 8192;

struct Room {
    frames: VecDeque<Rc<[u8]>>,
    /// Index of the oldest frame kept.
    first: u64,
    readers: Vec<usize>,
}

struct Reader {
    room: usize,
    /// The next frame to write, and the number of its bytes already written.
    next: u64,
    offset: usize,
    /// True while the reader is in the write queue.
    is_due: bool,
}

enum Peer {
    /// A connection whose request is incomplete.
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
    /// Readers with queued frames, in turn; one whose socket is full is queued again once it is writable.
    due: VecDeque<usize>,
    /// The feeder's connection, and the number of bursts not yet confirmed to it.
    feeder: usize,
    untold: usize,
}

/// Runs the child process until its feeder disconnects.
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
        let patience = if state.due.is_empty() { None } else { Some(Duration::ZERO) };
        match poll.poll(&mut events, patience) {
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
                state.make_due(index);
            }
            if event.is_readable() && !state.read(index, &mut buffer)? {
                return Ok(());
            }
        }
        state.write_in_turn();
        state.tell_feeder()?;
    }
}

impl Loop {
    /// Returns false when the feeder has disconnected.
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
                        self.take_bursts(index);
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
            self.feeder = index;
            return Ok(());
        }
        let at = memmem::find(head, b"room=").context("a reader's request names no room")? + 5;
        let name = head.get(at..at + 36).context("a reader's room id is truncated")?.to_vec();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n\
             event: hello\nid: 0.0\ndata: {{\"rooms\":[{{\"id\":\"{}\",\"head_seq\":0}}]}}\n\n",
            String::from_utf8_lossy(&name)
        );
        if connection.socket.write(answer.as_bytes()).ok() != Some(answer.len()) {
            bail!("a response head did not fit into an empty socket buffer");
        }
        let room = self.room(&name);
        let next = self.rooms[room].first + self.rooms[room].frames.len() as u64;
        self.rooms[room].readers.push(index);
        self.connections[index].peer = Peer::Reader(Reader { room, next, offset: 0, is_due: false });
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

    /// Appends each complete burst to its rooms, and queues their readers.
    fn take_bursts(&mut self, index: usize) {
        while let Peer::Feed(fed) = &mut self.connections[index].peer {
            let Some((frames, used)) = burst(fed) else { return };
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
                    self.make_due(self.rooms[room].readers[at]);
                }
            }
            self.untold += 1;
        }
    }

    fn make_due(&mut self, index: usize) {
        if let Peer::Reader(reader) = &mut self.connections[index].peer
            && !std::mem::replace(&mut reader.is_due, true)
        {
            self.due.push_back(index);
        }
    }

    fn write_in_turn(&mut self) {
        for _ in 0..TURN {
            let Some(index) = self.due.pop_front() else { return };
            self.flush(index);
        }
    }

    /// Confirms bursts to the feeder once they were offered to all readers, unless a reader is far behind.
    fn tell_feeder(&mut self) -> anyhow::Result<()> {
        if self.untold == 0 || !self.due.is_empty() {
            return Ok(());
        }
        (0..self.rooms.len()).for_each(|room| self.forget(room));
        if self.rooms.iter().any(|room| room.frames.len() > BEHIND) {
            return Ok(());
        }
        let told = vec![0; std::mem::take(&mut self.untold)];
        self.connections[self.feeder].socket.write_all(&told).context("answering the feeder")
    }

    /// Writes the queued frames of one reader, until it has all of them or its socket is full.
    fn flush(&mut self, index: usize) {
        let Connection { socket, peer } = &mut self.connections[index];
        let Peer::Reader(reader) = peer else { return };
        reader.is_due = false;
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

    /// Drops frames that all readers have.
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

/// The name of a room, and a frame for it.
type Fed = (Vec<u8>, Rc<[u8]>);

/// Returns the frames of the first burst, each with its room, and the burst's length; `None` while it is incomplete.
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
