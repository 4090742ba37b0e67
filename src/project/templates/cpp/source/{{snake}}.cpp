// What the library exports. The component itself is in {{snake}}.hpp, so that its tests can have it, too.
#include "{{snake}}.hpp"

BUSBAR_EXPORT_PLUGIN(Greet)
