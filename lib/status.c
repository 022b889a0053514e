/* SPDX-License-Identifier: BSD-3-Clause
 * status.c - names of the contract's status numbers
 */
#include "vnic.h"

const char *vnic_status_name(uint32_t status)
{
	switch (status) {
	case VNIC_STATUS_SUCCESS: return "SUCCESS";
	case VNIC_STATUS_PENDING: return "PENDING";
	case VNIC_STATUS_SEND_ABORTED: return "SEND_ABORTED";
	case VNIC_STATUS_PAUSED: return "PAUSED";
	case VNIC_STATUS_RESET_IN_PROGRESS: return "RESET_IN_PROGRESS";
	case VNIC_STATUS_RESOURCES: return "RESOURCES";
	case VNIC_STATUS_INVALID_LENGTH: return "INVALID_LENGTH";
	case VNIC_STATUS_FAILURE: return "FAILURE";
	case VNIC_STATUS_LOW_POWER_STATE: return "LOW_POWER_STATE";
	case VNIC_STATUS_MEDIA_DISCONNECTED: return "MEDIA_DISCONNECTED";
	case VNIC_STATUS_CLOSING: return "CLOSING";
	case VNIC_STATUS_INVALID_STATE: return "INVALID_STATE";
	case VNIC_STATUS_INVALID_PARAMETER: return "INVALID_PARAMETER";
	case VNIC_STATUS_NOT_SUPPORTED: return "NOT_SUPPORTED";
	case VNIC_STATUS_CANCELLED: return "CANCELLED";
	default: return "UNKNOWN";
	}
}
