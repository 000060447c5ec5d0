use super::harness::*;

#[test]
fn a_killed_server() {
    let row = Row::new("kill", Fault::Kill, ms(50), ms(250)).length(ms(100)).cycles(20, 2);
    run(row, |_| Design::whole()).holds();
}
