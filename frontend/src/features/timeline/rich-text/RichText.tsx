import { createContext, createElement, Fragment, memo, type ReactNode, useContext } from "react";
import type { Author } from "../../../api/gen/types.gen";
import { useViewer } from "../../session/use-session";
import { type Block, blocksOf, type Item, type TextPart } from "./blocks";
import { CodeBlock } from "./CodeBlock";

const NOBODY: readonly Author[] = [];
/** The people whom the text mentions. */
const MentionsContext = createContext(NOBODY);

interface RichTextProps {
  body: string;
  mentions?: readonly Author[];
}

/**
 * A message's Markdown as elements; no part of it becomes HTML. A changed text replaces all elements at once, because a
 * browser's translator may have replaced texts between them.
 */
export const RichText = memo(function RichText({ body, mentions = NOBODY }: RichTextProps) {
  return (
    <MentionsContext value={mentions}>
      <div key={body} dir="auto" className="prose-chat">
        {all(blocksOf(body), block)}
      </div>
    </MentionsContext>
  );
});

/** A token without its person stays as typed. */
function Mention({ token }: { token: string }) {
  const person = useContext(MentionsContext).find(({ id }) => token.includes(id));
  const isReader = useViewer()?.id === person?.id;
  if (!person) return <span>{token}</span>;
  return <span translate="no" data-mention={isReader ? "reader" : "other"}>{`@${person.username}`}</span>;
}

/** Elements at fixed places, which need no keys. */
const all = <Part,>(parts: readonly Part[], render: (part: Part) => ReactNode): ReactNode =>
  createElement(Fragment, null, ...parts.map(render));

function block(part: Block): ReactNode {
  switch (part.kind) {
    case "text":
      return <p>{all(part.content, inline)}</p>;
    case "code":
      return <CodeBlock language={part.language} text={part.text} />;
    case "quote":
      return <blockquote>{all(part.blocks, block)}</blockquote>;
    case "list":
      // Safari drops the role of a list without its own markers.
      return createElement(
        part.isOrdered ? "ol" : "ul",
        { role: "list", "data-loose": part.isLoose || undefined },
        ...part.items.map(item),
      );
  }
}

/** The marker is text, so that it is copied, and numbers stay as typed. */
function item({ marker, blocks }: Item): ReactNode {
  const isBullet = marker === "-" || marker === "*";
  return (
    <li>
      <span aria-hidden={isBullet || undefined}>{isBullet ? "• " : `${marker} `}</span>
      {all(blocks, block)}
    </li>
  );
}

function inline(part: TextPart): ReactNode {
  if (typeof part === "string") return part;
  switch (part.kind) {
    case "code":
      return <code translate="no">{part.text}</code>;
    case "mention":
      return <Mention token={part.text} />;
    case "link":
      return (
        <a
          target="_blank"
          rel="noopener noreferrer nofollow"
          href={part.href}
          title={part.isBare ? undefined : part.href}
        >
          {all(part.content, inline)}
          {part.hiddenDestination !== null && (
            <bdi translate="no" className="text-muted">{` (${part.hiddenDestination})`}</bdi>
          )}
        </a>
      );
    case "heading":
      return (
        <strong>
          <span className="font-normal text-muted">{part.marks}</span>
          {all(part.content, inline)}
        </strong>
      );
    default:
      return createElement(part.kind, null, all(part.content, inline));
  }
}
