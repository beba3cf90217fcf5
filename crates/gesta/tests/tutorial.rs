//! The tutorial quotes the examples: every line of code in it stands there.

const PAGES: [(&str, &str, [&str; 2]); 4] = [
    (
        "bank",
        include_str!("../../../docs/tutorial/bank.md"),
        [include_str!("../examples/bank.rs"), include_str!("../examples/bank/tests.rs")],
    ),
    (
        "tickets",
        include_str!("../../../docs/tutorial/tickets.md"),
        [include_str!("../examples/tickets.rs"), include_str!("../examples/tickets/tests.rs")],
    ),
    (
        "returns",
        include_str!("../../../docs/tutorial/returns.md"),
        [include_str!("../examples/returns.rs"), include_str!("../examples/returns/tests.rs")],
    ),
    (
        "program",
        include_str!("../../../docs/tutorial/program.md"),
        [include_str!("../../../examples/bank/src/main.rs"), include_str!("../../../examples/bank/tests/program.rs")],
    ),
];

#[test]
fn what_is_quoted_stands_in_the_example() {
    for (page, text, sources) in PAGES {
        let blocks: Vec<&str> = text.split("```rust\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        assert!(!blocks.is_empty(), "{page} quotes nothing");
        for block in blocks {
            assert!(sources.iter().any(|source| source.contains(block)), "{page} quotes what is not there:\n{block}");
        }
    }
}

#[test]
fn examples_can_be_read_in_one_sitting() {
    for (page, _, [program, _]) in PAGES {
        assert!(program.lines().count() <= 200, "{page} has more than two hundred lines");
    }
}
