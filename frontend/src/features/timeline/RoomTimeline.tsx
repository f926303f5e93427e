import { CloudAlert } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import type { KnownRoom } from "../../api/earlier-release";
import { deleteMessage } from "../../api/gen/sdk.gen";
import { answer, sentence } from "../../api/problem";
import { loadChunk } from "../../browser/chunks";
import { withDeleted } from "../../realtime/apply";
import { quoteOf } from "../../realtime/merge";
import type { TimelineMessage } from "../../realtime/state";
import { chat } from "../../realtime/store";
import { Button } from "../../ui/Button";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { EmptyState } from "../../ui/EmptyState";
import { focusComposer } from "../../ui/focus-net";
import { showToast } from "../../ui/Toast";
import { attach, readAttached } from "../composer/attached";
import { outboxOf, useUnsent } from "../composer/current-outbox";
import { readDraft, writeDraft } from "../composer/drafts";
import { toNames } from "../composer/mention-text";
import { useMutedFor } from "../session/MutedNote";
import { useViewer } from "../session/use-session";
import { opening } from "../settings/opening";
import { useReadMarks } from "../unread/read-marks";
import { readUpTo as markOf, markRoomRead, setRoomMark, unreadOf } from "../unread/room-marks";
import { type Entry, roomEntries, withUnsent } from "./entry";
import type { MessageActions } from "./MessageRow";
import { MessageText } from "./MessageText";
import { loadMessageEditor, messageEditor } from "./message-editor";
import { pendingReactions } from "./pending-reactions";
import { jump, usePins } from "./pins";
import { RoomBeginning } from "./RoomBeginning";
import { messagePath } from "./room-address";
import { Timeline } from "./Timeline";
import { useRoomLog } from "./use-room-log";
import { useEscape, useWindow } from "./use-window";

const LostEdit = lazy(() =>
  loadChunk(() => import("./LostEdit")).then((module) => ({ default: module.LostEdit })),
);

const JoinDialog = lazy(() =>
  loadChunk(() => import("../session/JoinDialog")).then((module) => ({ default: module.JoinDialog })),
);

const WhoReacted = lazy(() =>
  loadChunk(() => import("./WhoReacted")).then((module) => ({ default: module.WhoReacted })),
);

const ReactionPicker = lazy(() =>
  loadChunk(() => import("./ReactionPicker")).then((module) => ({ default: module.ReactionPicker })),
);

interface RoomTimelineProps {
  room: KnownRoom;
  /** The message to show first; null for the first unread one, or the newest. */
  at: number | null;
  /** True in an archived room: nothing can be changed there. */
  isReadOnly?: boolean;
  editing: string | null;
  onEdit(messageId: string | null): void;
}

/** The timeline of one public room, with the actions of its reader. */
export function RoomTimeline({ room, at, isReadOnly = false, editing, onEdit }: RoomTimelineProps) {
  const viewer = useViewer();
  const unsent = useUnsent(viewer?.id, `room:${room.id}`);
  const [deleting, setDeleting] = useState<Entry | null>(null);
  const [isInvited, setInvited] = useState(false);
  const [picking, setPicking] = useState<{ key: string; anchor: DOMRect } | null>(null);
  const [reactionsOf, setReactionsOf] = useState<string | null>(null);
  const pending = useSyncExternalStore(pendingReactions.subscribe, () => pendingReactions.current);
  const isMuted = useMutedFor(viewer?.muted_until) > 0;
  const viewerId = viewer?.id;
  const Editor = useMemo(() => (editing === null ? null : messageEditor()), [editing]);
  useEffect(() => {
    if (viewerId) void loadMessageEditor();
  }, [viewerId]);
  const marks = useReadMarks(viewerId);
  const mark = markOf(room, viewerId);
  const unread = unreadOf(room, marks);
  // The read mark when the room was opened; the line stays there while the room is open.
  const [readUpTo] = useState(mark);
  const [beginsAtLine] = useState(() => at === null && opening.current === "unread");
  const [openAt] = useState(() => {
    // A link to a message that does not exist opens the room at its end.
    if (at !== null) return Math.min(at, room.head_seq);
    return beginsAtLine && readUpTo !== null && readUpTo < room.head_seq ? readUpTo : null;
  });
  const log = useRoomLog(room.id, openAt);
  const pins = usePins(room.id);
  const part = useWindow(room, log, at, { mark, beginsAtLine });

  const entries = useMemo(
    () => withUnsent(roomEntries(log.messages, pending, pins), unsent, viewer),
    [log.messages, pending, pins, unsent, viewer],
  );
  const { isPaused, move, visit } = part;
  useEffect(
    () =>
      jump.subscribe(() => {
        if (jump.current?.roomId === room.id) visit(jump.current.seq, null);
      }),
    [room.id, visit],
  );
  const onRead = useCallback(
    (seq: number) => {
      if (!isPaused.current) markRoomRead(room.id, seq);
    },
    [room.id, isPaused],
  );
  const head = room.head_seq;
  const onAllRead = useCallback(() => {
    isPaused.current = false;
    move(null);
    markRoomRead(room.id, head);
  }, [room.id, head, isPaused, move]);
  useEscape(unread > 0, onAllRead);

  const actions = useMemo((): MessageActions => {
    const isOwn = (entry: Entry) => !isReadOnly && viewer !== null && entry.authorId === viewer.id;
    const address = { id: room.id, slug: room.slug ?? "" };
    const linkTo = ({ confirmed }: Entry) => messagePath(address, confirmed?.order ?? 1);
    const reply = ({ confirmed, author, body, mentions }: Entry) => {
      if (!viewer) return setInvited(true);
      if (!confirmed) return;
      attach(viewer.id, `room:${room.id}`, {
        replyTo: quoteOf(confirmed.order, author, body && toNames(body, mentions)),
      });
      focusComposer();
    };
    const react = ({ confirmed, reactions }: Entry, emoji: string) => {
      if (!viewer) return setInvited(true);
      if (!confirmed) return;
      const { id } = confirmed;
      const isMine = reactions.some((reaction) => reaction.emoji === emoji && reaction.mine);
      void loadReacting().then(({ setReaction }) => setReaction({ id, roomId: room.id }, emoji, !isMine));
    };
    const pickReaction = ({ key }: Entry, anchor: Element) =>
      viewer ? setPicking({ key, anchor: anchor.getBoundingClientRect() }) : setInvited(true);
    return {
      ...(!isReadOnly && !isMuted && { reply, react, pickReaction }),
      showReactions: ({ key }) => setReactionsOf(key),
      showOriginal: ({ replyTo, confirmed }) => replyTo && visit(replyTo.seq, confirmed?.order ?? null),
      canEdit: isOwn,
      canDelete: (entry) => isOwn(entry) || (!isReadOnly && viewer?.role === "admin"),
      linkTo,
      copyLink: (entry) => void copyLink(linkTo(entry)),
      markUnread: ({ confirmed }) => {
        if (!confirmed) return;
        isPaused.current = true;
        move(confirmed.order - 1);
        setRoomMark(room.id, confirmed.order - 1);
        showToast({ text: "Marked as unread from here", key: "unread" });
      },
      ...(!isReadOnly &&
        viewer?.role === "admin" && {
          pin: ({ confirmed, isPinned }) => {
            const find = ({ id }: TimelineMessage) => id === confirmed?.id;
            const message = chat.state.logs[room.id]?.messages.find(find);
            if (!message) return;
            void loadPinning().then(({ pin, unpin }) => (isPinned ? unpin(message) : pin(message)));
          },
        }),
      edit: (entry) => onEdit(entry.confirmed?.id ?? null),
      remove: setDeleting,
      retry: ({ clientId }) => viewer && outboxOf(viewer.id).retry(clientId),
      takeBack: ({ clientId, lane, body, replyTo, mentions }) => {
        if (!viewer) return;
        if (replyTo) attach(viewer.id, lane, { replyTo });
        const { people = [] } = readAttached(viewer.id, lane);
        if (mentions.length > 0) attach(viewer.id, lane, { people: [...people, ...mentions] });
        const typed = readDraft(viewer.id, lane);
        const text = toNames(body, mentions);
        writeDraft(viewer.id, lane, typed === "" ? text : `${text}\n${typed}`);
        outboxOf(viewer.id).takeBack(clientId);
        focusComposer();
      },
      editor: (entry) => {
        const { confirmed, body, mentions } = entry;
        if (!viewer || !Editor || !confirmed || confirmed.id !== editing || body === null) return null;
        return (
          <Suspense fallback={<MessageText body={body} mentions={mentions} />}>
            <Editor
              userId={viewer.id}
              messageId={confirmed.id}
              roomId={room.id}
              body={body}
              mentions={mentions}
              onDone={() => onEdit(null)}
              onEmptied={() => setDeleting(entry)}
            />
          </Suspense>
        );
      },
    };
  }, [viewer, editing, Editor, onEdit, isReadOnly, isMuted, room.id, room.slug, isPaused, move, visit]);

  function suggest(text: string) {
    if (viewer) writeDraft(viewer.id, `room:${room.id}`, text);
    focusComposer();
  }

  async function remove(entry: Entry) {
    if (!entry.confirmed) return;
    const { id, order: seq } = entry.confirmed;
    await answer(deleteMessage({ path: { id } }));
    chat.update((state) => withDeleted(state, { id, room_id: room.id, seq }));
    if (id !== editing) return;
    if (viewer) writeDraft(viewer.id, `edit:${id}`, "");
    onEdit(null);
  }

  const lookedAt = reactionsOf !== null && entries.find(({ key }) => key === reactionsOf);
  if (log.error && !log.isLoaded) {
    return (
      <EmptyState
        icon={CloudAlert}
        title="Could not load messages"
        action={<Button onClick={log.retry}>Try again</Button>}
      >
        {sentence(log.error)}
      </EmptyState>
    );
  }
  return (
    <>
      <Timeline
        label={`Messages in ${room.name}`}
        entries={entries}
        viewerId={viewerId}
        isLoaded={log.isLoaded}
        isLoadingOlder={log.isLoadingOlder}
        hasOlder={log.hasOlder}
        loadOlder={log.loadOlder}
        readUpTo={readUpTo}
        mark={mark}
        unread={unread}
        onRead={onRead}
        onAllRead={onAllRead}
        window={part.window}
        actions={actions}
        editing={editing}
        beginning={
          <RoomBeginning
            room={room}
            isEmpty={entries.length === 0}
            {...(viewer && !isReadOnly && !isMuted && { onSuggest: suggest })}
            onCopyLink={() => void copyLink(messagePath({ id: room.id, slug: room.slug ?? "" }, null))}
          />
        }
      />
      {viewer && editing !== null && log.isLoaded && !isShown(entries, editing) && (
        <Suspense fallback={null}>
          <LostEdit userId={viewer.id} roomId={room.id} messageId={editing} onDone={() => onEdit(null)} />
        </Suspense>
      )}
      {picking && (
        <Suspense fallback={null}>
          <ReactionPicker
            anchor={picking.anchor}
            onPick={(emoji) => {
              setPicking(null);
              const entry = entries.find(({ key }) => key === picking.key);
              if (entry) actions.react?.(entry, emoji);
            }}
            onClose={() => setPicking(null)}
          />
        </Suspense>
      )}
      {lookedAt && (
        <Suspense fallback={null}>
          <WhoReacted entry={lookedAt} onClose={() => setReactionsOf(null)} />
        </Suspense>
      )}
      {isInvited && (
        <Suspense fallback={null}>
          <JoinDialog onClose={() => setInvited(false)} />
        </Suspense>
      )}
      {deleting && (
        <ConfirmDialog
          title="Delete this message?"
          action="Delete message"
          onConfirm={() => remove(deleting)}
          onClose={() => setDeleting(null)}
        >
          <blockquote className="max-h-36 overflow-y-auto rounded-xl bg-surface px-4 py-3 text-ink">
            <MessageText body={deleting.body ?? ""} mentions={deleting.mentions} />
          </blockquote>
          <p>
            Its text is permanently deleted for everyone. A note that a message was deleted stays in its
            place.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}

const loadPinning = () => loadChunk(() => import("./pinning"));
const loadReacting = () => loadChunk(() => import("./reacting"));

async function copyLink(path: string): Promise<void> {
  const link = `${window.location.origin}${path}`;
  try {
    await navigator.clipboard.writeText(link);
    showToast({ text: "Link copied", key: "link" });
  } catch {
    // Only secure contexts can write to the clipboard.
    showToast({ text: "Copy this link:", detail: link, ms: 15_000, key: "link" });
  }
}

const isShown = (entries: readonly Entry[], messageId: string) =>
  entries.some(({ confirmed, isDeleted }) => confirmed?.id === messageId && !isDeleted);
