# Print what a month costs, from the prices in deploy/prices.tsv, which is read first.
# Variables: region; cpu; memory, as in 1Gi or 512Mi; ready, the minimum number of instances.

BEGIN { FS = "\t" }

# item, tier 1, tier 2, unit, status, date, source, note
/^#/ || $1 == "item" { next }

$1 == "regions" {
    tier = 0
    for (i = 1; i <= 2; i++) if (index(" " $(i + 1) " ", " " region " ")) tier = i
    known = tier
    if (!known) tier = 2
    next
}

{
    price[$1, 1] = $2
    price[$1, 2] = $3
    if (date == "" || $6 < date) date = $6
}

# The cost of an amount beyond the free tier, which is a discount at the prices of tier 1.
function beyond(amount, item, free,    usd) {
    usd = amount * price[item, tier] - price[free, 1] * price[item, 1]
    return usd > 0 ? usd : 0
}

# photo_s: processing time of a photo on one CPU. start_s: time of a cold start, which one photo in a hundred needs.
function cost(photos, photo_s, start_s,    busy_s, idle) {
    # With less than one CPU, both take longer.
    busy_s = photos * (photo_s + (ready ? 0 : start_s / 100)) / (cpu < 1 ? cpu : 1)
    idle = ready * 30 * 86400 * (cpu + gib) * price["idle_s", tier]
    return idle + beyond(busy_s * cpu, "cpu_s", "free_cpu_s") + beyond(busy_s * gib, "gib_s", "free_gib_s") \
        + beyond(photos, "request", "free_requests")
}

END {
    gib = memory / (memory ~ /Gi$/ ? 1 : memory ~ /Mi$/ ? 1024 : memory ~ /G$/ ? 1.074 : 1074)
    printf "Cost of a month in %s, at Cloud Run's tier %d prices as of %s, after the free tier:\n", region, tier, date
    split("0 10000 1000000", photos, " ")
    for (i = 1; i <= 3; i++) printf "  %9d photos  $%.2f\n", photos[i], cost(photos[i], 0.2, 3)
    printf "Assumptions: %g CPU and %g GiB, %g s for each photo, one at a time; ", cpu, gib, 0.2 / (cpu < 1 ? cpu : 1)
    if (ready) printf "instances always ready: %d.\n", ready
    else printf "a cold start of %g s for one photo in a hundred.\n", 3 / (cpu < 1 ? cpu : 1)
    if (!known) printf "The price tier of %s is not in deploy/prices.tsv; tier 2, the dearer one, is assumed.\n", region
    print "Not included: outgoing traffic, and a few cents for the stored image."
}
