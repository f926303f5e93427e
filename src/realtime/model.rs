//! Every interleaving of a small chat, explored to the last state: two instances, a client or two, and a few events,
//! with news lost, doubled, reordered and late, an instance killed after a commit, and clients that are cut
//! and resume on the instance that lags.
//!
//! [`super::races`] draws long runs by chance; this draws short ones without leaving any out. Gate, feed, mailbox
//! and replay filter are the real code. They cannot be copied, so a state is kept as the path that leads to
//! it and played again; two paths that lead to the same state are followed once.
//!
//! News stays under way for ever: what is never heard is lost, what is heard out of turn is reordered, and what is
//! heard again is doubled, or late. So nothing about it need be remembered, and no number bounds it. What is
//! bounded is in [`Bounds`].

mod world;

use std::collections::HashSet;

use world::{INSTANCES, World};

/// How large a chat is explored.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    events: usize,
    clients: usize,
    cuts: usize,
    kills: usize,
}

/// Explores everything; answers how many states there are and how long the longest shortest path is.
fn explore(bounds: Bounds) -> (usize, usize) {
    let mut known = HashSet::from([World::new(bounds).digest()]);
    let mut frontier = vec![Vec::new()];
    let mut depth = 0;
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for path in &frontier {
            for action in World::after(bounds, path).actions() {
                let mut longer: Vec<_> = path.clone();
                longer.push(action);
                let world = World::after(bounds, &longer);
                if known.insert(world.digest()) {
                    world.check_safety(&longer);
                    for home in 0..INSTANCES {
                        World::after(bounds, &longer).check_liveness(&longer, home);
                    }
                    next.push(longer);
                }
            }
        }
        depth += usize::from(!next.is_empty());
        frontier = next;
    }
    (known.len(), depth)
}

/// What each run of the tests explores.
const SMALL: [Bounds; 3] = [
    Bounds { events: 4, clients: 1, cuts: 0, kills: 0 },
    Bounds { events: 3, clients: 1, cuts: 1, kills: 1 },
    Bounds { events: 3, clients: 2, cuts: 0, kills: 0 },
];
/// Explored as well where `MODEL=large` is set, which takes minutes.
const LARGE: [Bounds; 2] =
    [Bounds { events: 2, clients: 2, cuts: 1, kills: 1 }, Bounds { events: 4, clients: 1, cuts: 1, kills: 1 }];

#[test]
fn no_interleaving_of_a_small_chat_loses_doubles_or_reorders() {
    let is_large = std::env::var("MODEL").is_ok_and(|asked| asked == "large");
    for bounds in SMALL.into_iter().chain(LARGE.into_iter().filter(|_| is_large)) {
        let (states, depth) = explore(bounds);
        println!("figure: states explored {states}, deepest {depth}, violations 0, {bounds:?}");
        assert!(states > 100, "the bounds leave something to explore");
    }
}
