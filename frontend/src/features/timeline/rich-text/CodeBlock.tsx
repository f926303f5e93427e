import { useLayoutEffect, useRef, useState } from "react";

interface CodeBlockProps {
  language: string;
  text: string;
}

/** Code with its language and a button that copies it. Wide code scrolls, and can then be focused. */
export function CodeBlock({ language, text }: CodeBlockProps) {
  const [isWide, setWide] = useState(false);
  const [isCopied, setCopied] = useState(false);
  const code = useRef<HTMLPreElement>(null);

  // Code that fits is not a stop for the Tab key.
  useLayoutEffect(() => {
    const element = code.current;
    if (!element) return;
    const measure = () => setWide(element.scrollWidth > element.clientWidth);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  useLayoutEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [isCopied]);

  const scrolls = isWide && {
    tabIndex: 0,
    role: "region",
    "aria-label": language === "" ? "Code" : `Code, ${language}`,
  };
  return (
    <div className="code-block">
      <div>
        <span translate="no">{language}</span>
        {/* Only secure contexts can write to the clipboard; elsewhere the code can be copied by hand. */}
        {navigator.clipboard && (
          <button
            type="button"
            aria-label={isCopied ? "Code copied" : "Copy code"}
            onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
          >
            {isCopied ? "Copied" : "Copy"}
          </button>
        )}
      </div>
      <pre ref={code} {...scrolls}>
        <code translate="no">{text}</code>
      </pre>
    </div>
  );
}
