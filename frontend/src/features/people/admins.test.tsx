import { act, render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { noteAdmins, useIsAdmin } from "./admins";

function Mark({ id }: { id: string }) {
  return <p>{useIsAdmin(id) ? "admin" : "user"}</p>;
}

test("a list says who of those in it is an admin, and nothing about others", async () => {
  render(<Mark id="ada" />);
  const noted = async (seen: string[], admins: string[] | undefined) =>
    act(async () => noteAdmins(seen, admins));
  await noted(["ada", "bob"], ["ada"]);
  expect(screen.getByText("admin")).toBeInTheDocument();
  await noted(["bob"], []);
  await noted(["ada"], undefined);
  expect(screen.getByText("admin")).toBeInTheDocument();
  await noted(["ada"], []);
  expect(screen.getByText("user")).toBeInTheDocument();
});
