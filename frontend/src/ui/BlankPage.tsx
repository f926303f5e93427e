import type { ComponentProps } from "react";
import { EmptyState } from "./EmptyState";
import { PageHeader } from "./PageHeader";

/** A page with only a message; the header keeps the navigation within reach on phones. */
export function BlankPage({ page, ...rest }: { page: string } & ComponentProps<typeof EmptyState>) {
  return (
    <>
      <PageHeader title={page} />
      <EmptyState {...rest} />
    </>
  );
}
