import { useEffect, useState } from "react";

/** Says `text` to screen readers when it changes, and nothing on the screen. The first text is not news. */
export function LiveRegion({ text }: { text: string }) {
  const [first] = useState(text);
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (text !== first) setSaid(text);
  }, [text, first]);
  return (
    <div aria-live="polite" aria-atomic="true" className="sr-only">
      {said}
    </div>
  );
}
