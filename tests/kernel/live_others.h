/* live_others.h - tests of live.c: this kernel is not ours alone. */
#ifndef OE_TESTS_KERNEL_LIVE_OTHERS_H
#define OE_TESTS_KERNEL_LIVE_OTHERS_H

void foreign_objects_survive_everything(void **state);
void foreign_policy_is_a_conflict(void **state);
void same_spi_of_a_stranger_stays(void **state);
void removed_policies_are_put_back_and_removed_sas_told(void **state);
void orphans_are_put_back(void **state);

#endif
