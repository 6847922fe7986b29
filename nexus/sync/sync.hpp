// All of nexus/sync.
#pragma once

#include "nexus/sync/broadcast.hpp"
#include "nexus/sync/cancellation_token.hpp"
#include "nexus/sync/deadline.hpp"
#include "nexus/sync/local.hpp"
#include "nexus/sync/mpsc.hpp"
#include "nexus/sync/mpsc_bytes.hpp"
#include "nexus/sync/notify.hpp"
#include "nexus/sync/oneshot.hpp"
#include "nexus/sync/readiness.hpp"
#include "nexus/sync/select.hpp"
#include "nexus/sync/spsc.hpp"
#include "nexus/sync/spsc_bytes.hpp"
#include "nexus/sync/task_group.hpp"
#include "nexus/sync/watch.hpp"
