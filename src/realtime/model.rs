//! Model checker: explores every interleaving of a small chat with two instances, one or two clients, and a few events.
//! News may be lost, duplicated, reordered or late, an instance may be killed after a commit, and clients may be
//! disconnected and resume on the instance that lags.
//!
//! [`super::races`] runs long random interleavings; this runs all the short ones. Gate, feed, mailbox and replay filter
//! are the real code. They cannot be cloned, so a state is kept as the path of actions that leads to it, and that path
//! is executed again; two paths that lead to the same state are continued only once.
//!
//! News stays available for ever: news that an instance never takes is lost, news taken out of order is reordered, and
//! news taken again is a duplicate, or late. So the state need not include news in transit, and its amount is not
//! limited. [`Bounds`] lists the limits that there are.

mod world;

use std::collections::HashSet;

use world::{INSTANCES, World};

/// Size of the explored chat.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    events: usize,
    clients: usize,
    cuts: usize,
    kills: usize,
}

/// Explores all states; returns their number, and the length of the shortest path to the most distant one.
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

/// Explored in every test run.
const SMALL: [Bounds; 3] = [
    Bounds { events: 4, clients: 1, cuts: 0, kills: 0 },
    Bounds { events: 3, clients: 1, cuts: 1, kills: 1 },
    Bounds { events: 3, clients: 2, cuts: 0, kills: 0 },
];
/// Also explored if `MODEL=large` is set, which takes minutes.
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
