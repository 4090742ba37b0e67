#ifndef BUSBAR_GO_LAYOUT_H
#define BUSBAR_GO_LAYOUT_H
/* Name of struct i, or null after the last one. */
const char *busbar_layout_name(int i);
int busbar_layout_size(int i);
/* Of member j of struct i; -1 after the last one. */
int busbar_layout_offset(int i, int j);
#endif
