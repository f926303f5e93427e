//! References of a message to others: the message that it replies to, and the users that it mentions.
//!
//! Both are stored as numbers and ids only. Excerpts and names are read with each message, so that a deleted original
//! or an erased user is not quoted anywhere.

use std::sync::Arc;

use sqlx::FromRow;

use crate::event::{Author, Quote};
use crate::id::{MessageId, Seq, UserId};

/// Columns of the references of the message `m` in the room `r`, of which [`joins!`] is part.
macro_rules! columns {
    () => {
        "m.reply_to, q.id as quoted_id, q.author_id as quoted_author, q.username as quoted_name, q.excerpt, m.mentions,
         case when m.mentions <> '{}' then array(
             select w.username from unnest(m.mentions) with ordinality as k (id, ord)
             join users w on w.id = k.id order by k.ord) end as names"
    };
}

/// The message that `m` replies to. Lateral: one look-up for each reply, and none for other messages.
macro_rules! joins {
    () => {
        "left join lateral (
             select o.id, o.author_id, w.username, left(o.body, 160) as excerpt
             from messages o join users w on w.id = o.author_id
             where o.room_id = m.room_id and o.seq = m.reply_to and o.seq >= r.first_seq
             limit 1
         ) q on true"
    };
}

pub(super) use {columns, joins};

/// A row of these columns.
#[derive(Debug, Default, FromRow)]
pub(super) struct References {
    reply_to: Option<Seq>,
    quoted_id: Option<MessageId>,
    quoted_author: Option<UserId>,
    quoted_name: Option<String>,
    excerpt: Option<String>,
    mentions: Option<Vec<UserId>>,
    names: Option<Vec<String>>,
}

impl References {
    pub fn quote(&self) -> Option<Quote> {
        let name = self.quoted_name.as_deref();
        Some(Quote {
            seq: self.reply_to?,
            author: self.quoted_author.zip(name).map(|(id, name)| Author { id, username: name.into() }),
            excerpt: self.excerpt.as_deref().map(Arc::from),
            id: self.quoted_id,
        })
    }

    pub fn mentions(&self) -> Vec<Author> {
        let (ids, names) = (self.mentions.iter().flatten(), self.names.iter().flatten());
        ids.zip(names).map(|(&id, name)| Author { id, username: name.as_str().into() }).collect()
    }
}
