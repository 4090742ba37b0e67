fn main() {
    busbar::build::emit();
}
