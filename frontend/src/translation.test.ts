// A browser's translator replaces text nodes with elements without React's knowledge. React then fails to remove them
// or to insert beside them, and keeps updating a text node that is no longer visible. An element whose only child is a
// text is safe: React sets its whole content. So any text that can change, or has siblings that come and go, needs its
// own element.

import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const SOURCE = import.meta.dirname;
const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".tsx") && !path.includes(".test."))
  .map((path) => join(SOURCE, path));
const program = ts.createProgram(files, {
  jsx: ts.JsxEmit.ReactJSX,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  target: ts.ScriptTarget.ES2023,
  strict: true,
  noEmit: true,
  types: ["vite/client"],
});
const checker = program.getTypeChecker();

const TEXT = ts.TypeFlags.StringLike | ts.TypeFlags.NumberLike | ts.TypeFlags.BigIntLike;
const NOTHING = ts.TypeFlags.Null | ts.TypeFlags.Undefined | ts.TypeFlags.BooleanLike;

/** The types of an expression's possible values. */
const parts = (type: ts.Type): ts.Type[] => (type.isUnion() ? type.types.flatMap(parts) : [type]);
const isNode = (type: ts.Type) => ["ReactNode", "ReactPortal"].includes(type.aliasSymbol?.name ?? "");

/** The result of `text && <b/>` without text: nothing is rendered. */
const isFalsy = (type: ts.Type) => (type.isLiteral() && !type.value) || checker.typeToString(type) === "0n";

interface Child {
  /** True if it may be a text that changes. */
  isChangingText: boolean;
  isText: boolean;
  /** True if it may be absent, or several nodes. */
  comesAndGoes: boolean;
}

function childOf(node: ts.JsxChild): Child | null {
  if (ts.isJsxText(node)) {
    if (node.containsOnlyTriviaWhiteSpaces) return null;
    return { isChangingText: false, isText: true, comesAndGoes: false };
  }
  if (!ts.isJsxExpression(node)) return { isChangingText: false, isText: false, comesAndGoes: false };
  if (!node.expression) return null;
  if (ts.isStringLiteral(node.expression))
    return { isChangingText: false, isText: true, comesAndGoes: false };
  const type = checker.getTypeAtLocation(node.expression);
  // Callers pass an element, or a text that never changes; it may be absent.
  if (isNode(type)) return { isChangingText: false, isText: false, comesAndGoes: true };
  const shown = parts(type);
  const isText = shown.some((part) => (part.flags & TEXT) !== 0 && !isFalsy(part));
  const comesAndGoes = shown.some((part) => (part.flags & NOTHING) !== 0 || checker.isArrayType(part));
  return { isChangingText: isText, isText, comesAndGoes };
}

function faultsOf(file: ts.SourceFile): string[] {
  const faults: string[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isJsxElement(node) || ts.isJsxFragment(node)) {
      const children = node.children.map(childOf).filter((child) => child !== null);
      const hasText = children.some(({ isText }) => isText);
      const isMixed =
        children.length > 1 &&
        (children.some(({ isChangingText }) => isChangingText) ||
          (hasText && children.some(({ comesAndGoes }) => comesAndGoes)));
      const isBare = ts.isJsxFragment(node) && hasText;
      if (isMixed || isBare) {
        const { line } = file.getLineAndCharacterOfPosition(node.getStart());
        faults.push(`${relative(SOURCE, file.fileName)}:${line + 1}`);
      }
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  return faults;
}

test("text that can change, or has siblings that come and go, is in its own element", () => {
  const sources = program.getSourceFiles().filter(({ fileName }) => files.includes(fileName));
  expect(sources.length).toBe(files.length);
  expect(sources.flatMap(faultsOf)).toEqual([]);
}, 180_000);
