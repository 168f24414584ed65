"""What the broker lane is made of. Nothing here shares code with the program under test.

places       where things are kept, and finding the packages that `cluster fetch` installed
process      child processes that cannot outlive us, free ports, waiting with deadlines
fetch        Java, the broker, the registry and the Python packages, downloaded once
broker       Apache Kafka nodes: start, stop, kill, restart
registry     Apicurio Registry, and a client of the Confluent API
stub         a registry that misbehaves on command
client       a Kafka client for tests: topics, records, offsets
flow         the topics and the group of a test, orders in them, and what must come of them
oracle       what a run must come to, worked out from the documentation alone
orders       the Order record by hand: Avro, framing, exact sums
orderflow    the program under test as a process with JSON events
browser      Chromium without a window
newcomer     what a test of the README starts from: a clone, a shell, an unused broker
readme       what README.md tells people to type, and which test answers for it
terminal     a command line as people type it, and what it prints
schedule     chaos: what happens when, out of a seed
load         chaos: orders that can be told from their sums
state        chaos: what stands in the aggregates topic
audit        chaos: the verdict over what stands in all topics
recovery     chaos: the time from a restart to the first commit
scene        chaos: topics, group and registry of one performance
arena        chaos: a cluster on which schedules are performed
crash        chaos: deaths at named steps
chaos        chaos: many schedules, and the report
environment  the cluster that the tests of one run share; unique names; main()
"""
