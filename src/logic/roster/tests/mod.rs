mod by_hand;
mod catching_up;
mod choosing;
mod leaving;
mod returning;
mod watching;
mod world;
