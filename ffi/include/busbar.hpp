/*
 * busbar.hpp: plugins in C++17.                                     SPDX-License-Identifier: Apache-2.0
 *
 *   class Upper : public busbar::Processor {
 *    public:
 *     static constexpr const char *name = "upper";
 *     using Processor::Processor;
 *     busbar::Status process(busbar::ProcessBatch &batch) {
 *       for (busbar::Record record : batch)
 *         if (!batch.out().derive(record, busbar::Event::text(upper(record.payload())))) return batch.more(record);
 *       return busbar::Status::ok;
 *     }
 *   };
 *   BUSBAR_EXPORT_PLUGIN(Upper)
 *
 * A component is a class that derives from Source, Processor, Reaction, Bootstrap, Service or Hook, is made from a Context, and has
 * the methods that it wants to offer: those it does not have are null in its table. An exception that leaves a method is FATAL with
 * its message; Failed and Invalid say otherwise. What is read are views, what is written goes straight to the arena: no event is
 * copied to hand it over. docs/sdk/cpp.md is the guide; busbar/test.hpp tests components without busbar.
 * Header-only, compiled into the plugin, not part of the contract.
 */
#ifndef BUSBAR_HPP
#define BUSBAR_HPP

#include "busbar/batch.hpp"
#include "busbar/bytes.hpp"
#include "busbar/component.hpp"
#include "busbar/context.hpp"
#include "busbar/errors.hpp"
#include "busbar/json.hpp"
#include "busbar/record.hpp"

#endif
