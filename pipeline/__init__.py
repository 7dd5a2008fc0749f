"""A maker-checker request pipeline: no request lost, no call made twice, nothing sent that was not approved exactly so.

A maker's submission and a checker's decision arrive on two public Kafka topics. Four stages stand between them and the
one HTTP call to Intouch: intake reads and names what arrives, validation checks it, approval keeps the desk and the
ledger, execution makes the call. They are joined by topics, each tells the world what it did on `events`, and what no
stage can use lies sealed in `dead-letters`.
"""
