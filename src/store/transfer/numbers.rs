//! The numbers of a room's messages in a file that is imported.

use anyhow::ensure;

use crate::id::Seq;

/// Numbers of a room's messages so far.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    /// The room's oldest message that is kept.
    pub first: Seq,
    /// `None` before the room's first message in the file.
    pub newest: Option<Seq>,
}

impl Numbers {
    /// Checks that a message continues the room's. The first in the file may be a receipt.
    pub fn take(&mut self, seq: Seq) -> anyhow::Result<()> {
        match self.newest {
            None => ensure!(
                (1..=self.first.0).contains(&seq.0),
                "seq is {}, but the room begins at {}",
                seq.0,
                self.first.0
            ),
            Some(newest) => {
                ensure!(seq.0 == newest.0 + 1, "seq is {}, but the room's next is {}", seq.0, newest.0 + 1);
            }
        }
        self.newest = Some(seq);
        Ok(())
    }

    /// Returns the room's newest `seq`, which may be of a deleted message.
    pub fn head(self) -> Seq {
        Seq(self.newest.map_or(0, |newest| newest.0).max(self.first.0 - 1))
    }
}
